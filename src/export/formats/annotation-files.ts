// Annotation files in the layout that is asked for, and the simplest of them: JSON Lines.

import { shardName } from '../../store/shards.ts'
import type { CommonOptions } from '../options.ts'
import type { ExportSample } from '../sample.ts'
import type { ExportWriter, WriterContext } from '../writer.ts'

/** One file while it is written. */
export interface AnnotationFile {
  write(sample: ExportSample): Promise<void>
  close(): Promise<void>
}

/** A kind of annotation files. */
interface FileKind {
  readonly ending: string
  /** Begins a file of this name. */
  readonly open: (name: string) => Promise<AnnotationFile>
}

/** Writes `annotations<ending>`, or `annotations/<shard><ending>` for each shard. */
export function annotationFiles(
  layout: CommonOptions['layout'],
  { ending, open }: FileKind,
): ExportWriter {
  let file: AnnotationFile | undefined
  const endFile = async () => {
    await file?.close()
    file = undefined
  }
  return {
    async beginShard(id) {
      if (layout === 'sharded') await endFile()
      file ??= await open(`annotations${layout === 'sharded' ? `/${shardName(id)}` : ''}${ending}`)
    },
    write: (sample) => file!.write(sample),
    close: endFile,
  }
}

/** One JSON value per sample and line. */
export function jsonLines(
  { folder, layout }: Pick<WriterContext, 'folder'> & Pick<CommonOptions, 'layout'>,
  lineOf: (sample: ExportSample) => object,
): ExportWriter {
  const open = async (name: string): Promise<AnnotationFile> => {
    const file = await folder.create(name)
    return {
      write: (sample) => file.write(`${JSON.stringify(lineOf(sample))}\n`),
      close: () => folder.finish(file),
    }
  }
  return annotationFiles(layout, { ending: '.jsonl', open })
}

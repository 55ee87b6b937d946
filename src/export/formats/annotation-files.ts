// Annotation files in the layout that is asked for, and the simplest of them: JSON Lines.

import { shardName } from '../../store/posix/shards.ts'
import type { CommonOptions } from '../options.ts'
import type { ExportSample } from '../sample.ts'
import type { ExportWriter, WriterContext } from '../writer.ts'

/** One file while it is written. */
export interface AnnotationFile {
  write(sample: ExportSample): Promise<void>
  close(): Promise<void>
}

/**
 * Writes `annotations<ending>`, or `annotations/<shard><ending>` for each shard.
 *
 * @param open begins a file of this name
 */
export function annotationFiles(
  layout: CommonOptions['layout'],
  ending: string,
  open: (name: string) => Promise<AnnotationFile>,
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
  { folder }: WriterContext,
  layout: CommonOptions['layout'],
  lineOf: (sample: ExportSample) => object,
): ExportWriter {
  return annotationFiles(layout, '.jsonl', async (name) => {
    const file = await folder.create(name)
    return {
      write: (sample) => file.write(`${JSON.stringify(lineOf(sample))}\n`),
      close: () => folder.finish(file),
    }
  })
}

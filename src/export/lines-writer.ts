// JSON Lines files: ODVG, with label_map.json for its detection variant, and our own records.

import { shardName } from '../store/posix/shards.ts'
import type { ExportWriter, WriterContext } from './export-run.ts'
import { jsonlRecord } from './jsonl.ts'
import { labelMap, odvgDetection, odvgGrounding } from './odvg.ts'
import type { OutputFile } from './output-files.ts'
import type { ExportSample } from './sample.ts'

export function createOdvgWriter(context: WriterContext): ExportWriter {
  const { folder, request, categories } = context
  const { dialect, options } = request
  if (options.variant === 'grounding') {
    return createWriter(context, (sample) => odvgGrounding(sample, dialect))
  }
  const labels = new Map(categories.map((name, label) => [name, label]))
  const lines = createWriter(context, (sample) => odvgDetection(sample, dialect, labels))
  return {
    ...lines,
    async close() {
      await lines.close()
      const file = await folder.create('label_map.json')
      await file.write(`${JSON.stringify(labelMap(categories))}\n`)
      await folder.finish(file)
    },
  }
}

export function createJsonlWriter(context: WriterContext): ExportWriter {
  return createWriter(context, jsonlRecord)
}

function createWriter(
  { folder, request }: WriterContext,
  lineOf: (sample: ExportSample) => object,
): ExportWriter {
  let open: OutputFile | undefined
  const endFile = async () => {
    if (open !== undefined) await folder.finish(open)
    open = undefined
  }
  return {
    async beginShard(id) {
      if (request.options.layout === 'sharded') {
        await endFile()
        open = await folder.create(`annotations/${shardName(id)}.jsonl`)
      } else {
        open ??= await folder.create('annotations.jsonl')
      }
    },
    async write(sample) {
      await open!.write(`${JSON.stringify(lineOf(sample))}\n`)
    },
    close: endFile,
  }
}

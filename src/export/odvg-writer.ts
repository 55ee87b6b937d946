// ODVG files: JSON Lines, with label_map.json for the detection variant.

import { shardName } from '../store/shards.ts'
import type { ExportWriter, WriterContext } from './export-run.ts'
import { labelMap, odvgDetection, odvgGrounding } from './odvg.ts'
import type { OutputFile } from './output-files.ts'

export function createOdvgWriter({ folder, request, categories }: WriterContext): ExportWriter {
  const { dialect, options } = request
  const labels = new Map(categories.map((name, label) => [name, label]))
  let open: OutputFile | undefined
  const endFile = async () => {
    if (open !== undefined) await folder.finish(open)
    open = undefined
  }
  return {
    async beginShard(id) {
      if (options.layout === 'sharded') {
        await endFile()
        open = await folder.create(`annotations/${shardName(id)}.jsonl`)
      } else {
        open ??= await folder.create('annotations.jsonl')
      }
    },
    async write(sample) {
      const line =
        options.variant === 'grounding'
          ? odvgGrounding(sample, dialect)
          : odvgDetection(sample, dialect, labels)
      await open!.write(`${JSON.stringify(line)}\n`)
    },
    async close() {
      await endFile()
      if (options.variant !== 'detection') return
      const file = await folder.create('label_map.json')
      await file.write(`${JSON.stringify(labelMap(categories))}\n`)
      await folder.finish(file)
    },
  }
}

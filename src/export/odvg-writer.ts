// ODVG files: JSON Lines, with label_map.json for the detection variant.

import path from 'node:path'
import { writeSynced, type FileDigest } from '../store/durable.ts'
import { shardName } from '../store/shards.ts'
import type { ExportWriter, WriterContext } from './export-run.ts'
import { labelMap, odvgDetection, odvgGrounding } from './odvg.ts'
import { OutputFile } from './output-files.ts'

export function createOdvgWriter({ folder, request, categories }: WriterContext): ExportWriter {
  const { dialect, options } = request
  const files: Record<string, FileDigest> = {}
  const labels = new Map(categories.map((name, label) => [name, label]))
  let open: { readonly name: string; readonly file: OutputFile } | undefined
  const endFile = async () => {
    if (open !== undefined) files[open.name] = await open.file.close()
    open = undefined
  }
  const beginFile = async (name: string) => {
    await endFile()
    open = { name, file: await OutputFile.create(path.join(folder, name)) }
  }
  return {
    async beginShard(id) {
      if (options.layout === 'sharded') await beginFile(`annotations/${shardName(id)}.jsonl`)
      else if (open === undefined) await beginFile('annotations.jsonl')
    },
    async write(sample) {
      const line =
        options.variant === 'grounding'
          ? odvgGrounding(sample, dialect)
          : odvgDetection(sample, dialect, labels)
      await open!.file.write(`${JSON.stringify(line)}\n`)
    },
    async close() {
      await endFile()
      if (options.variant === 'detection') {
        files['label_map.json'] = await writeSynced(
          path.join(folder, 'label_map.json'),
          `${JSON.stringify(labelMap(categories))}\n`,
        )
      }
      return files
    },
  }
}

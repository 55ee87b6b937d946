// COCO files. Images stream into the file itself, annotations into one beside it that is appended at
// the end, so that memory does not grow with the data.

import { createReadStream } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import type { FileDigest } from '../store/durable.ts'
import { shardName } from '../store/shards.ts'
import { VERSION } from '../version.ts'
import { cocoCategories, cocoEntries, type CocoIds } from './coco.ts'
import type { ExportWriter, WriterContext } from './export-run.ts'
import { OutputFile } from './output-files.ts'

export function createCocoWriter(context: WriterContext): ExportWriter {
  const { folder, request, categories } = context
  const categoryIds = new Map(categories.map((name, index) => [name, index + 1]))
  const ids: CocoIds = { image: 0, annotation: 0 }
  const files: Record<string, FileDigest> = {}
  let open: CocoFile | undefined
  const endFile = async () => {
    if (open !== undefined) files[open.name] = await open.close(categories)
    open = undefined
  }
  return {
    async beginShard(id) {
      if (request.options.layout === 'sharded') {
        await endFile()
        open = await CocoFile.create(folder, `annotations/${shardName(id)}.json`, context)
      } else {
        open ??= await CocoFile.create(folder, 'annotations.json', context)
      }
    },
    write: async (sample) => {
      const { image, annotations } = cocoEntries(sample, categoryIds, ids)
      await open!.write(image, annotations)
    },
    async close() {
      await endFile()
      return files
    },
  }
}

class CocoFile {
  readonly name: string
  readonly #file: OutputFile
  readonly #annotations: OutputFile
  readonly #annotationsPath: string
  #images = 0
  #annotationCount = 0

  private constructor(
    name: string,
    file: OutputFile,
    annotations: OutputFile,
    annotationsPath: string,
  ) {
    this.name = name
    this.#file = file
    this.#annotations = annotations
    this.#annotationsPath = annotationsPath
  }

  static async create(
    folder: string,
    name: string,
    { request, manifest }: WriterContext,
  ): Promise<CocoFile> {
    const full = path.join(folder, name)
    const file = await OutputFile.create(full)
    // Readers fail without "info" (pycocotools 2.0.9) and "licenses".
    const info = {
      description: `pseudo-labels of ${manifest.teacher.id}, run ${manifest.runId}`,
      version: VERSION,
      categories_by: request.options.categories.by,
      box_supervision: request.options.boxSupervision,
    }
    await file.write(`{"info": ${JSON.stringify(info)}, "licenses": [],\n"images": [`)
    return new CocoFile(name, file, await OutputFile.create(`${full}.part`), `${full}.part`)
  }

  async write(image: object, annotations: readonly object[]): Promise<void> {
    await this.#file.write(`${this.#images++ === 0 ? '\n' : ',\n'}${JSON.stringify(image)}`)
    for (const annotation of annotations) {
      const separator = this.#annotationCount++ === 0 ? '\n' : ',\n'
      await this.#annotations.write(`${separator}${JSON.stringify(annotation)}`)
    }
  }

  async close(categories: readonly string[]): Promise<FileDigest> {
    await this.#annotations.close()
    await this.#file.write('\n],\n"annotations": [')
    const part = createReadStream(this.#annotationsPath, { encoding: 'utf8' })
    for await (const text of part) await this.#file.write(text as string)
    await fs.rm(this.#annotationsPath)
    await this.#file.write(`\n],\n"categories": ${JSON.stringify(cocoCategories(categories))}}\n`)
    return this.#file.close()
  }
}

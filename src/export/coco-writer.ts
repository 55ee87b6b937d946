// Files in COCO's layout. Images stream into the file itself, annotations into one beside it that is appended at
// the end, so that memory does not grow with the data.

import { shardName } from '../store/posix/shards.ts'
import { VERSION } from '../version.ts'
import { cocoCategories, cocoEntries, type CocoEntries, type CocoIds } from './coco.ts'
import type { ExportWriter, WriterContext } from './export-run.ts'
import { GOLDG_CATEGORIES, goldgEntries } from './goldg.ts'
import type { OutputFile, OutputFolder } from './output-files.ts'
import type { ExportSample } from './sample.ts'

/** What a sample becomes; the ids count on. */
type EntriesOf = (sample: ExportSample, ids: CocoIds) => CocoEntries

export function createCocoWriter(context: WriterContext): ExportWriter {
  const { categories } = context
  const categoryIds = new Map(categories.map((name, index) => [name, index + 1]))
  return createWriter(context, categories, (sample, ids) => cocoEntries(sample, categoryIds, ids))
}

export function createGoldgWriter(context: WriterContext): ExportWriter {
  return createWriter(context, GOLDG_CATEGORIES, goldgEntries)
}

function createWriter(
  context: WriterContext,
  categories: readonly string[],
  entriesOf: EntriesOf,
): ExportWriter {
  const { folder, request } = context
  const ids: CocoIds = { image: 0, annotation: 0 }
  let open: CocoFile | undefined
  const endFile = async () => {
    await open?.close(categories)
    open = undefined
  }
  return {
    async beginShard(id) {
      if (request.options.layout === 'sharded') {
        await endFile()
        open = await CocoFile.create(folder, `annotations/${shardName(id)}.json`, infoOf(context))
      } else {
        open ??= await CocoFile.create(folder, 'annotations.json', infoOf(context))
      }
    },
    write: async (sample) => {
      const { image, annotations } = entriesOf(sample, ids)
      await open!.write(image, annotations)
    },
    close: endFile,
  }
}

function infoOf({ request, manifest }: WriterContext): object {
  const { categories, boxSupervision } = request.options
  return {
    description: `pseudo-labels of ${manifest.teacher.id}, run ${manifest.runId}`,
    version: VERSION,
    ...(request.format === 'coco' ? { categories_by: categories.by } : {}),
    box_supervision: boxSupervision,
  }
}

class CocoFile {
  readonly #folder: OutputFolder
  readonly #file: OutputFile
  readonly #annotations: OutputFile
  #images = 0
  #annotationCount = 0

  private constructor(folder: OutputFolder, file: OutputFile, annotations: OutputFile) {
    this.#folder = folder
    this.#file = file
    this.#annotations = annotations
  }

  static async create(folder: OutputFolder, name: string, info: object): Promise<CocoFile> {
    const file = await folder.create(name)
    // Readers fail without "info" (pycocotools 2.0.9) and "licenses".
    await file.write(`{"info": ${JSON.stringify(info)}, "licenses": [],\n"images": [`)
    return new CocoFile(folder, file, await folder.create(`${name}.part`))
  }

  async write(image: object, annotations: readonly object[]): Promise<void> {
    await this.#file.write(`${this.#images++ === 0 ? '\n' : ',\n'}${JSON.stringify(image)}`)
    for (const annotation of annotations) {
      const separator = this.#annotationCount++ === 0 ? '\n' : ',\n'
      await this.#annotations.write(`${separator}${JSON.stringify(annotation)}`)
    }
  }

  async close(categories: readonly string[]): Promise<void> {
    await this.#file.write('\n],\n"annotations": [')
    for await (const text of this.#annotations.read()) await this.#file.write(text)
    await this.#folder.discard(this.#annotations)
    await this.#file.write(`\n],\n"categories": ${JSON.stringify(cocoCategories(categories))}}\n`)
    await this.#folder.finish(this.#file)
  }
}

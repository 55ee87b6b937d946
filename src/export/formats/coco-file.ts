// Files in COCO's layout. Images stream into the file itself, annotations into one beside it that is appended at
// the end, so that memory does not grow with the data.

import { VERSION } from '../../version.ts'
import type { CommonOptions } from '../options.ts'
import type { ExportSample } from '../sample.ts'
import type { ExportWriter, WriterContext } from '../writer.ts'
import { annotationFiles, type AnnotationFile } from './annotation-files.ts'

/** Last ids given, 0 before the first. */
export interface CocoIds {
  image: number
  annotation: number
}

/** What a sample becomes. */
export interface CocoEntries {
  readonly image: object
  readonly annotations: readonly object[]
}

/** What a format of this layout decides. */
export interface CocoLayout {
  /** Names in the order of their ids, which count from 1. */
  readonly categories: readonly string[]
  /** Of the section "info", beside what all have. */
  readonly info: object
  /** Counts the ids on, through all shards: with ids of their own they could not be merged. */
  readonly entriesOf: (sample: ExportSample, ids: CocoIds) => CocoEntries
}

/** Writes COCO files, whose entries are the format's. */
export function cocoFiles(
  context: WriterContext,
  { layout, boxSupervision }: Pick<CommonOptions, 'layout' | 'boxSupervision'>,
  { categories, info, entriesOf }: CocoLayout,
): ExportWriter {
  const { manifest } = context
  const ids: CocoIds = { image: 0, annotation: 0 }
  const head = {
    description: `pseudo-labels of ${manifest.teacher.id}, run ${manifest.runId}`,
    version: VERSION,
    ...info,
    box_supervision: boxSupervision,
  }
  // Readers fail without "info" (pycocotools 2.0.9) and "licenses".
  const opening = `{"info": ${JSON.stringify(head)}, "licenses": [],\n"images": [`
  const ending = `\n],\n"categories": ${JSON.stringify(cocoCategories(categories))}}\n`
  return annotationFiles(layout, '.json', (name) =>
    openFile(context, name, { opening, ending, entriesOf: (sample) => entriesOf(sample, ids) }),
  )
}

async function openFile(
  { folder }: WriterContext,
  name: string,
  parts: {
    readonly opening: string
    readonly ending: string
    readonly entriesOf: (sample: ExportSample) => CocoEntries
  },
): Promise<AnnotationFile> {
  const images = await folder.create(name)
  await images.write(parts.opening)
  const annotations = await folder.create(`${name}.part`)
  let [imageCount, annotationCount] = [0, 0]
  const separator = (before: number) => (before === 0 ? '\n' : ',\n')
  return {
    async write(sample) {
      const entries = parts.entriesOf(sample)
      await images.write(separator(imageCount++) + JSON.stringify(entries.image))
      for (const annotation of entries.annotations) {
        await annotations.write(separator(annotationCount++) + JSON.stringify(annotation))
      }
    },
    async close() {
      await images.write('\n],\n"annotations": [')
      for await (const piece of annotations.read()) await images.write(piece)
      await folder.discard(annotations)
      await images.write(parts.ending)
      await folder.finish(images)
    },
  }
}

function cocoCategories(names: readonly string[]): object[] {
  return names.map((name, index) => ({ id: index + 1, name, supercategory: 'object' }))
}

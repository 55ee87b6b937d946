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
  /** By name, from 1. */
  readonly categories: ReadonlyMap<string, number>
}

/** What a sample becomes. */
export interface CocoEntries {
  readonly image: object
  readonly annotations: readonly object[]
}

/** What a format of this layout decides. */
export interface CocoLayout {
  /** Of the section "info", beside what all have. */
  readonly info: object
  /** Counts the ids on, through all shards: with ids of their own they could not be merged. */
  readonly entriesOf: (sample: ExportSample, ids: CocoIds) => CocoEntries
}

/** Writes COCO files, whose entries are the format's. */
export function cocoFiles(
  context: WriterContext & Pick<CommonOptions, 'layout' | 'boxSupervision'>,
  { info, entriesOf }: CocoLayout,
): ExportWriter {
  const { folder, manifest, categories, layout, boxSupervision } = context
  const ids: CocoIds = {
    image: 0,
    annotation: 0,
    categories: new Map(categories.map((name, index) => [name, index + 1])),
  }
  const head = {
    description: `pseudo-labels of ${manifest.teacher.id}, run ${manifest.runId}`,
    version: VERSION,
    ...info,
    box_supervision: boxSupervision,
  }
  // Readers fail without "info" (pycocotools 2.0.9) and "licenses".
  const opening = `{"info": ${JSON.stringify(head)}, "licenses": [],\n"images": [`
  const named = categories.map((name, index) => ({
    id: index + 1,
    name,
    supercategory: 'object',
  }))
  const ending = `\n],\n"categories": ${JSON.stringify(named)}}\n`
  const open = async (name: string): Promise<AnnotationFile> => {
    const images = await folder.create(name)
    await images.write(opening)
    const annotations = await folder.create(`${name}.part`)
    let [imageCount, annotationCount] = [0, 0]
    const separator = (before: number) => (before === 0 ? '\n' : ',\n')
    return {
      async write(sample) {
        const entries = entriesOf(sample, ids)
        await images.write(separator(imageCount++) + JSON.stringify(entries.image))
        for (const annotation of entries.annotations) {
          await annotations.write(separator(annotationCount++) + JSON.stringify(annotation))
        }
      },
      async close() {
        await images.write('\n],\n"annotations": [')
        for await (const piece of annotations.read()) await images.write(piece)
        await folder.discard(annotations)
        await images.write(ending)
        await folder.finish(images)
      },
    }
  }
  return annotationFiles(layout, { ending: '.json', open })
}

import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { cocoFiles, type CocoLayout } from '../../../src/export/formats/coco-file.ts'
import { OutputFolder } from '../../../src/export/output-files.ts'
import { toExportSample } from '../../../src/export/sample.ts'
import type { RunManifest } from '../../../src/store/run-manifest.ts'
import { VERSION } from '../../../src/version.ts'
import { filesOf } from '../../helpers/exports.ts'
import { makeRow } from '../../helpers/runs.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

const manifest: RunManifest = {
  formatVersion: 1,
  runId: '0123',
  config: {},
  identity: { config: {}, source: {}, teacher: {} },
  plan: { shards: 2, rows: 3 },
  teacher: { id: 'toy', sha256: 'ab', defaultScore: 0.35 },
  versions: {},
}
const readImage = () => Promise.reject(new Error('not asked for'))

/** A sample has as many annotations as its caption has letters "x". */
const entriesOf: CocoLayout['entriesOf'] = ({ caption }, ids) => ({
  image: { id: ++ids.image, caption },
  annotations: [...caption.matchAll(/x/g)].map(() => ({
    id: ++ids.annotation,
    image_id: ids.image,
    category_id: ids.categories.get('kite'),
  })),
})

/** Files by name, of shards by their captions. */
async function written(layout: 'merged' | 'sharded', shards: readonly (readonly string[])[]) {
  const folder = new OutputFolder(await temporaryFolder())
  const categories = ['dog', 'kite']
  const context = { folder, manifest, categories, layout, boxSupervision: true }
  const writer = cocoFiles(context, { info: { kind: 'toy' }, entriesOf })
  for (const [id, captions] of shards.entries()) {
    await writer.beginShard(id)
    for (const caption of captions) {
      const sample = toExportSample(
        { row: makeRow({ caption }), regions: [] },
        { fileName: 'a.jpg', categoryOf: (phrase) => phrase },
      )
      await writer.write(sample!, readImage)
    }
  }
  await writer.close()
  const names = await filesOf(folder.path)
  expect(Object.keys(folder.files).sort()).toEqual(names)
  const texts = names.map((name) => fs.readFile(path.join(folder.path, name), 'utf8'))
  return Object.fromEntries((await Promise.all(texts)).map((text, at) => [names[at]!, text]))
}

const HEAD = `{"info": {"description":"pseudo-labels of toy, run 0123","version":"${VERSION}","kind":"toy","box_supervision":true}, "licenses": [],`
const CATEGORIES =
  '"categories": [{"id":1,"name":"dog","supercategory":"object"},{"id":2,"name":"kite","supercategory":"object"}]}'

describe('cocoFiles', () => {
  it('writes an entry per line, all annotations behind all images', async () => {
    const files = await written('merged', [['xx', 'o'], ['x']])

    expect(Object.keys(files)).toEqual(['annotations.json'])
    expect(files['annotations.json']!.split('\n')).toEqual([
      HEAD,
      '"images": [',
      '{"id":1,"caption":"xx"},',
      '{"id":2,"caption":"o"},',
      '{"id":3,"caption":"x"}',
      '],',
      '"annotations": [',
      '{"id":1,"image_id":1,"category_id":2},',
      '{"id":2,"image_id":1,"category_id":2},',
      '{"id":3,"image_id":3,"category_id":2}',
      '],',
      CATEGORIES,
      '',
    ])
  })

  it('counts ids on through the shards, each of which has all categories', async () => {
    const files = await written('sharded', [['x'], ['xx']])

    expect(Object.keys(files)).toEqual(['annotations/00000.json', 'annotations/00001.json'])
    const [first, second] = Object.values(files).map((text): unknown => JSON.parse(text))
    expect(first).toMatchObject({ images: [{ id: 1 }], annotations: [{ id: 1, image_id: 1 }] })
    expect(second).toMatchObject({
      images: [{ id: 2 }],
      annotations: [
        { id: 2, image_id: 2 },
        { id: 3, image_id: 2 },
      ],
      categories: [{ name: 'dog' }, { name: 'kite' }],
    })
  })

  it('writes what readers can read where no image has a box', async () => {
    const files = await written('merged', [['o']])

    expect(JSON.parse(files['annotations.json']!)).toMatchObject({
      images: [{ id: 1 }],
      annotations: [],
    })
  })
})

import { execFileSync } from 'node:child_process'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { GroundingRow } from '../../src/core/types.ts'
import { ownName } from '../../src/store/posix/owner.ts'
import { exportTo, filesOf, readJson, readLines, type ExportSpec } from '../helpers/exports.ts'
import { fingerprint } from '../helpers/groundmill.ts'
import { makeRow, makeRun } from '../helpers/runs.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

/** Forty rows; every tenth has low scores, and every seventh repeats row 0. */
const ROWS = Array.from({ length: 40 }, (_, row): GroundingRow => {
  const made = makeRow({
    row,
    caption: `a dog and kite number ${row % 7 === 0 ? 0 : row}`,
    phrases: ['a dog', 'kite'],
    boxes: [
      ['a dog', row % 10 === 9 ? 0.3 : 0.9, row, 0, row + 50, 60],
      ['kite', 0.6, 100, row, 160, row + 40],
      ['kite', 0.5, 400, 10, 450, 40],
    ],
  })
  return row % 7 === 0 ? { ...made, sha256: 'ab'.repeat(32) } : made
})

async function newRun(samplesPerShard = 40, rows: readonly GroundingRow[] = ROWS) {
  const folder = await temporaryFolder()
  return { folder, runDir: await makeRun(folder, { rows, samplesPerShard }) }
}

/** File names and ids follow the shards; everything else must not. */
const withoutNames = (lines: readonly unknown[]) =>
  lines.map((line) => ({ ...(line as object), filename: undefined }))

describe('exportRun', () => {
  it('gives the same set from one shard and from many, merged and sharded', async () => {
    const spec: ExportSpec = { filter: { score: 0.4 }, balance: { phrase: 25, maxSamples: 20 } }
    const [one, many] = [await newRun(40), await newRun(3)]
    const annotations = (folder: string) => path.join(folder, 'export/annotations.jsonl')
    await exportTo(one.runDir, path.join(one.folder, 'export'), spec)
    await exportTo(many.runDir, path.join(many.folder, 'export'), spec)
    const sharded = path.join(many.folder, 'sharded')
    await exportTo(many.runDir, sharded, { ...spec, options: { layout: 'sharded' } })

    const merged = await readLines(annotations(many.folder))
    const names = (await filesOf(sharded)).filter((name) => name.startsWith('annotations/'))
    const parts = await Promise.all(names.map((name) => readLines(path.join(sharded, name))))

    expect(merged).toHaveLength(20)
    expect(withoutNames(merged)).toEqual(withoutNames(await readLines(annotations(one.folder))))
    expect(names.length).toBeGreaterThan(8)
    expect(parts.flat()).toEqual(merged)
  })

  it.each(['coco', 'odvg'] as const)('gives the same bytes each time for %s', async (format) => {
    const { folder, runDir } = await newRun(7)
    const spec: ExportSpec = { format, filter: { nearDuplicateBits: 2 }, balance: { phrase: 9 } }

    await exportTo(runDir, path.join(folder, 'a'), spec)
    await exportTo(runDir, path.join(folder, 'b'), spec)

    expect(await fingerprint(path.join(folder, 'a'))).toEqual(
      await fingerprint(path.join(folder, 'b')),
    )
  })

  it('writes a COCO file whose images and annotations are those of its shards', async () => {
    const { folder, runDir } = await newRun(7)
    const [merged, sharded] = [path.join(folder, 'merged'), path.join(folder, 'sharded')]
    await exportTo(runDir, merged, { format: 'coco' })
    await exportTo(runDir, sharded, { format: 'coco', options: { layout: 'sharded' } })

    const whole = await readJson(merged, 'annotations.json')
    const parts = await Promise.all(
      (await fs.readdir(path.join(sharded, 'annotations')))
        .sort()
        .map((name) => readJson(sharded, 'annotations', name)),
    )

    for (const key of ['images', 'annotations']) {
      expect(parts.flatMap((part) => part[key])).toEqual(whole[key])
    }
    for (const part of parts) expect(part['categories']).toEqual(whole['categories'])
    expect(await filesOf(merged)).toEqual(['annotations.json', 'dropped.jsonl', 'export.json'])
  })

  it('takes a given list of categories in its order and drops what is not in it', async () => {
    const { folder, runDir } = await newRun()
    const categories = { by: 'list', list: ['Kite', 'yak'] }

    const { counts } = await exportTo(runDir, path.join(folder, 'coco'), {
      format: 'coco',
      options: { categories },
    })

    const coco = await readJson(folder, 'coco/annotations.json')
    expect(coco['categories']).toEqual([
      { id: 1, name: 'Kite', supercategory: 'object' },
      { id: 2, name: 'yak', supercategory: 'object' },
    ])
    expect(coco['info']).toMatchObject({ categories_by: 'list' })
    expect(counts.categories).toBe(2)
    expect(counts.droppedCandidates.no_category).toBeGreaterThan(0)
  })

  it('gives a box to a category once, though two phrases claim it', async () => {
    const row = makeRow({
      caption: 'a blue bell and a brown bell and a red kite',
      phrases: ['a blue bell', 'a brown bell', 'a red kite'],
      boxes: [
        ['a blue bell', 0.6, 10, 10, 50, 50],
        ['a brown bell', 0.8, 10, 10, 50, 50],
        ['a red kite', 0.7, 10, 10, 50, 50],
      ],
    })
    const { folder, runDir } = await newRun(1, [row])

    const { counts } = await exportTo(runDir, path.join(folder, 'coco'), { format: 'coco' })
    await exportTo(runDir, path.join(folder, 'odvg'))

    const { annotations } = await readJson(folder, 'coco/annotations.json')
    expect(annotations).toMatchObject([{ phrase: 'a brown bell' }, { phrase: 'a red kite' }])
    expect(counts).toMatchObject({ regions: 2, droppedCandidates: { same_category: 1 } })
    expect(await readLines(path.join(folder, 'odvg/annotations.jsonl'))).toMatchObject([
      { grounding: { regions: [{}, {}, {}] } },
    ])
  })

  it('writes records for scripts as JSON Lines', async () => {
    const row = makeRow({
      caption: ' İzmir 🐕: a dog and kites',
      phrases: ['a dog', 'kites/kites/kite'],
      boxes: [['a dog', 0.9, 1, 2, 30, 40.126]],
    })
    const { folder, runDir } = await newRun(1, [row])

    await exportTo(runDir, path.join(folder, 'jsonl'), { format: 'jsonl' })

    expect(await readLines(path.join(folder, 'jsonl/annotations.jsonl'))).toEqual([
      {
        key: '0000000000',
        url: 'https://example.org/0.jpg',
        sha256: row.sha256,
        file_name: '00000/0000000000.jpg',
        width: 640,
        height: 480,
        caption: 'Izmir 🐕: a dog and kites',
        phrases: [
          { start: 9, end: 14, text: 'a dog', head: 'dog', lemma: 'dog' },
          { start: 19, end: 24, text: 'kites', head: 'kites', lemma: 'kite' },
        ],
        regions: [{ phrase: 0, score: 0.9, box: [1, 2, 30, 40.13] }],
      },
    ])
  })

  it('says what it holds and how it came to be', async () => {
    const { folder, runDir } = await newRun(10)
    const to = path.join(folder, 'export')
    const options = { variant: 'detection', boxSupervision: false }

    const summary = await exportTo(runDir, to, { options, filter: { score: 0.4 } })

    const record = await readJson(to, 'export.json')
    expect(record).toMatchObject({
      formatVersion: 1,
      format: 'odvg',
      dialect: 'mmdet',
      isComplete: true,
      minScore: 0.4,
      boxSupervision: false,
      recipe: {
        filter: { score: 0.4, nms: { scope: 'phrase', iou: 0.5 } },
        balance: { minCount: 1 },
      },
      provenance: {
        shards: { committed: 4, planned: 4 },
        teacher: { id: 'toy-0123', sha256: '01'.repeat(32) },
      },
    })
    expect(record['counts']).toEqual(summary.counts)
    const sum = (counts: object) =>
      (Object.values(counts) as number[]).reduce((total, count) => total + count, 0)
    const { counts } = summary
    expect(counts.samples + sum(counts.droppedSamples)).toBe(40)
    expect(counts.regions + sum(counts.droppedCandidates)).toBe(120)
    const files = await fingerprint(to)
    for (const [name, { sha256 }] of Object.entries(summary.files)) expect(files[name]).toBe(sha256)
    expect(Object.keys(summary.files).sort()).toEqual(
      (await filesOf(to)).filter((name) => name !== 'export.json'),
    )
  })

  it('lists every dropped row with its reason', async () => {
    const { folder, runDir } = await newRun(10)

    const { counts } = await exportTo(runDir, path.join(folder, 'export'), {
      filter: { minPhrases: 2 },
    })

    const dropped = await readLines(path.join(folder, 'export/dropped.jsonl'))
    expect(dropped.slice(0, 2)).toEqual([
      { key: '0000000007', row: 7, reason: 'duplicate_pair' },
      { key: '0000000009', row: 9, reason: 'too_few_phrases' },
    ])
    expect(counts.droppedSamples).toEqual({ duplicate_pair: 5, too_few_phrases: 4 })
    expect(dropped).toHaveLength(9)
  })

  it('drops repeats of rows in other shards: pairs, and near duplicates on request', async () => {
    const rows = [
      ['ab', '0123456789abcdef', 'a dog'],
      ['cd', 'ffff00000000ffff', 'a dog'],
      ['ab', '0123456789abcdef', 'a dog'],
      ['ef', '0123456789abcdee', 'a dog'],
    ].map(([byte, dhash, caption], row) =>
      makeRow({
        row,
        caption: caption!,
        sha256: byte!.repeat(32),
        dhash: dhash!,
        boxes: [['a dog', 0.9, 0, 0, 50, 60]],
      }),
    )
    const { folder, runDir } = await newRun(2, rows)

    await exportTo(runDir, path.join(folder, 'plain'), {})
    await exportTo(runDir, path.join(folder, 'near'), { filter: { nearDuplicateBits: 1 } })

    const pair = { key: '0000100000', row: 2, reason: 'duplicate_pair' }
    const near = { key: '0000100001', row: 3, reason: 'near_duplicate' }
    expect(await readLines(path.join(folder, 'plain/dropped.jsonl'))).toEqual([pair])
    expect(await readLines(path.join(folder, 'near/dropped.jsonl'))).toEqual([pair, near])
  })

  it('exports what is committed of a run that goes on, and says so', async () => {
    const folder = await temporaryFolder()
    const runDir = await makeRun(folder, { rows: ROWS, samplesPerShard: 10, plannedShards: 9 })

    const { shards } = await exportTo(runDir, path.join(folder, 'export'))

    expect(shards).toEqual({ committed: 4, planned: 9 })
    expect(await readJson(folder, 'export/export.json')).toMatchObject({
      isComplete: false,
      provenance: { shards },
    })
  })

  it('refuses a run without shards, and a filter that leaves nothing', async () => {
    const folder = await temporaryFolder()
    const runDir = await makeRun(folder, { rows: [], samplesPerShard: 1, plannedShards: 3 })
    const other = await newRun()

    await expect(exportTo(runDir, path.join(folder, 'export'))).rejects.toThrow(
      /has no committed shard yet; label it first/,
    )
    await expect(
      exportTo(other.runDir, path.join(other.folder, 'export'), { filter: { score: 0.95 } }),
    ).rejects.toThrow(/no sample .* is left to export: of 40 rows went too_few_boxes 40/)
    expect(await fs.readdir(other.folder)).toEqual(['run'])
  })
})

describe('export.negatives', () => {
  const captions = ['a dog', 'a cat and a dog', 'a kite', 'a hotdog', 'a yak', 'a bus']
  const rows = captions.map((caption, row) =>
    makeRow({
      row,
      caption,
      boxes: caption.split(' and ').map((text) => [text, 0.9, 10, 10, 50, 50] as const),
    }),
  )
  const negatives = { perImage: 3 }

  it('are names that other images have and the caption does not speak of', async () => {
    const { folder, runDir } = await newRun(2, rows)
    await exportTo(runDir, path.join(folder, 'coco'), { format: 'coco', options: { negatives } })

    const coco = await readJson(folder, 'coco/annotations.json')
    const names = new Map(
      (coco['categories'] as { id: number; name: string }[]).map(({ id, name }) => [id, name]),
    )
    const drawn = (coco['images'] as { neg_category_ids: number[] }[]).map(
      ({ neg_category_ids: ids }) => ids.map((id) => names.get(id)!),
    )

    expect(names.size).toBe(6)
    for (const [index, absent] of drawn.entries()) {
      expect(new Set(absent).size).toBe(3)
      for (const name of absent) expect(captions[index]).not.toContain(name)
    }
    expect(new Set(drawn.map(String)).size).toBeGreaterThan(1)
  })

  it('are the same from one shard and from many, and by seed', async () => {
    const [one, many] = [await newRun(6, rows), await newRun(1, rows)]
    const absentOf = async ({ folder, runDir }: typeof one, seed: number) => {
      const to = path.join(folder, `odvg-${seed}`)
      await exportTo(runDir, to, { options: { negatives: { perImage: 2, seed } } })
      const lines = await readLines(path.join(to, 'annotations.jsonl'))
      return (lines as { negatives: string[] }[]).map((line) => line.negatives)
    }

    const absent = await absentOf(one, 0)

    expect(absent.every((names) => names.length === 2)).toBe(true)
    expect(await absentOf(many, 0)).toEqual(absent)
    expect(await absentOf(one, 1)).not.toEqual(absent)
  })

  it('are none by default', async () => {
    const { folder, runDir } = await newRun(6, rows)
    await exportTo(runDir, path.join(folder, 'odvg'))

    const [line] = await readLines(path.join(folder, 'odvg/annotations.jsonl'))

    expect(Object.keys(line as object)).toEqual(['filename', 'height', 'width', 'grounding'])
  })
})

describe('the folder of an export', () => {
  it('is replaced by --overwrite alone, and only if it is an export', async () => {
    const { folder, runDir } = await newRun()
    const to = path.join(folder, 'export')
    await exportTo(runDir, to, { options: { variant: 'detection' } })

    await expect(exportTo(runDir, to)).rejects.toThrow(/holds an export; .* add --overwrite/)
    await exportTo(runDir, to, { overwrite: true })

    expect(await filesOf(to)).toEqual(['annotations.jsonl', 'dropped.jsonl', 'export.json'])
    await expect(exportTo(runDir, runDir, { overwrite: true })).rejects.toThrow(/holds other files/)
    await expect(exportTo(runDir, path.join(runDir, 'run.json'))).rejects.toThrow(/is a file/)
    expect((await fs.readdir(folder)).sort()).toEqual(['export', 'run'])
  })

  it('stays as it was when the new export fails', async () => {
    const { folder, runDir } = await newRun(10)
    const to = path.join(folder, 'export')
    await exportTo(runDir, to)
    const before = await fingerprint(to)
    const parquet = path.join(runDir, 'shards/00003/groundings.parquet')
    await fs.truncate(parquet, 100)

    await expect(exportTo(runDir, to, { overwrite: true })).rejects.toThrow(
      /00003\/groundings\.parquet: cannot be read as groundings/,
    )

    expect(await fingerprint(to)).toEqual(before)
    expect((await fs.readdir(folder)).sort()).toEqual(['export', 'run'])
  })

  it('does not appear when the export is stopped', async () => {
    const { folder, runDir } = await newRun(10)
    const signal = AbortSignal.abort(new Error('stopped'))

    await expect(exportTo(runDir, path.join(folder, 'export'), { signal })).rejects.toThrow(
      'stopped',
    )

    expect(await fs.readdir(folder)).toEqual(['run'])
  })

  it('is cleared of what a killed export left beside it', async () => {
    const { folder, runDir } = await newRun()
    const dead = execFileSync(process.execPath, ['-p', 'process.pid']).toString().trim()
    const left = path.join(folder, `.export.partial-${os.hostname()}-${dead}-0123abcd-0`)
    const alive = path.join(folder, ownName('.export.partial'))
    await fs.mkdir(left)
    await fs.mkdir(alive)

    await exportTo(runDir, path.join(folder, 'export'))

    expect((await fs.readdir(folder)).sort()).toEqual([path.basename(alive), 'export', 'run'])
  })

  it('is not there when the disk is full', async (test) => {
    const { folder, runDir } = await newRun()
    const disk = path.join(folder, 'disk')
    await fs.mkdir(disk)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', disk], { stdio: 'ignore' })
    } catch {
      return test.skip('cannot mount a small tmpfs here')
    }
    onTestFinished(() => {
      execFileSync('umount', ['-l', disk])
    })

    await expect(exportTo(runDir, path.join(disk, 'export'))).rejects.toThrow(
      /cannot write .*: the disk is full; free some space/,
    )

    expect(await fs.readdir(disk)).toEqual([])
  })
})

describe('export.images', () => {
  const bytes = (row: GroundingRow) => Buffer.from(`image of ${row.row}`)

  it('copies images out of the archive, those of kept samples alone', async () => {
    const folder = await temporaryFolder()
    const runDir = await makeRun(folder, {
      rows: ROWS.slice(0, 12),
      samplesPerShard: 5,
      images: bytes,
    })
    const to = path.join(folder, 'export')

    await exportTo(runDir, to, { filter: { minPhrases: 2 }, options: { images: 'copy' } })

    const lines = (await readLines(path.join(to, 'annotations.jsonl'))) as { filename: string }[]
    const names = (await filesOf(path.join(to, 'images'))).sort()
    expect(names).toEqual(lines.map(({ filename }) => filename).sort())
    expect(names).not.toContain('00001/0000100002.jpg') // row 7 is a repeat
    expect(await fs.readFile(path.join(to, 'images/00002/0000200001.jpg'), 'utf8')).toBe(
      'image of 11',
    )
  })

  it('copies images that the run refers to, and names one that is gone', async () => {
    const folder = await temporaryFolder()
    const file = path.join(folder, 'a.jpg')
    await fs.writeFile(file, 'pixels')
    const row = makeRow({ url: file, boxes: [['a brown dog', 0.9, 0, 0, 9, 9]] })
    const runDir = await makeRun(folder, { rows: [row] })

    await exportTo(runDir, path.join(folder, 'a'), { options: { images: 'copy' } })
    await exportTo(runDir, path.join(folder, 'b'), { options: { images: 'reference' } })
    await fs.rm(file)

    expect(await fs.readFile(path.join(folder, 'a/images/00000/0000000000.jpg'), 'utf8')).toBe(
      'pixels',
    )
    expect(await readLines(path.join(folder, 'b/annotations.jsonl'))).toMatchObject([
      { filename: file },
    ])
    await expect(
      exportTo(runDir, path.join(folder, 'c'), { options: { images: 'copy' } }),
    ).rejects.toThrow(/a\.jpg: the image of 0000000000 is not there; restore it/)
  })

  it('refuses to refer to images of the web', async () => {
    const { folder, runDir } = await newRun()

    await expect(
      exportTo(runDir, path.join(folder, 'a'), { options: { images: 'reference' } }),
    ).rejects.toThrow(/export\.images: reference needs local image files, but 0000000000 is https/)
  })
})

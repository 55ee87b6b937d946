import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { boxArea } from '../../src/core/box.ts'
import type { CommitRecord } from '../../src/store/commit-record.ts'
import {
  listAttributes,
  RunAttribute,
  sweepAttributes,
  type AttributeValues,
} from '../../src/store/attributes.ts'
import { createPosixStore } from '../../src/store/posix/posix-store.ts'
import type { RunStore } from '../../src/store/run-store.ts'
import { beginShard, committedShards, publishShard, readCommits } from '../../src/store/shards.ts'
import { makeRow, makeRun } from '../helpers/runs.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const COLUMNS = ['area', 'share']

/** The demo attribute: the area of each box, in px² and as a share of its image. */
async function* boxAreas(store: RunStore, shard: number): AsyncGenerator<AttributeValues> {
  for await (const committed of committedShards(store)) {
    if (committed.id !== shard) continue
    for await (const { row, width, height, candidates } of committed.rows()) {
      for (const [candidate, { box }] of candidates.entries()) {
        const area = boxArea(box)
        yield { row, candidate, values: { area, share: area / (width * height) } }
      }
    }
  }
}

/** Two shards of three rows; row 1 has no candidates. */
async function makeStore() {
  const rows = Array.from({ length: 6 }, (_, row) =>
    makeRow({
      row,
      phrases: ['a brown dog', 'two kites'],
      boxes:
        row === 1
          ? []
          : [
              ['a brown dog', 0.9, 0, 0, 10 + row, 10],
              ['two kites', 0.5, 0, 0, 64, 48],
            ],
    }),
  )
  const runDir = await makeRun(await temporaryFolder(), { rows, samplesPerShard: 3 })
  const store = createPosixStore(runDir)
  const [first, second] = await readCommits(store)
  const names = (folder: string) => fs.readdir(path.join(runDir, folder)).catch(() => [])
  return { runDir, store, first: first!, second: second!, names }
}

/** Publishes the next version of a shard with the files of this one, whose rows are `rows`. */
async function renew(store: RunStore, commit: CommitRecord): Promise<CommitRecord> {
  const next = { ...commit, version: commit.version + 1 }
  const attempt = await beginShard(store, next)
  expect(await publishShard(attempt, next)).toBe(true)
  return next
}

const write = (store: RunStore, commit: CommitRecord) =>
  new RunAttribute(store, 'box-area').write(commit, {
    columns: COLUMNS,
    values: boxAreas(store, commit.shard),
  })

describe('an attribute', () => {
  it('comes back aligned with the rows of its shard', async () => {
    const { store, first, second, names } = await makeStore()

    const record = await write(store, first)
    const attribute = await new RunAttribute(store, 'box-area').read(first)

    expect(record).toMatchObject({
      name: 'box-area',
      shard: 0,
      version: 1,
      groundings: first.files['groundings.parquet']!.sha256,
      columns: ['area', 'share'],
      counts: { rows: 2, candidates: 4 },
    })
    expect(attribute?.record).toEqual(record)
    const seen: unknown[] = []
    for await (const shard of committedShards(store)) {
      for await (const row of shard.rows()) if (shard.id === 0) seen.push(attribute!.of(row))
    }
    const float = (...values: number[]) => Float64Array.from(values)
    expect(seen).toEqual([
      { area: float(100, 3072), share: float(100 / 307_200, 0.01) },
      { area: float(), share: float() },
      { area: float(120, 3072), share: float(120 / 307_200, 0.01) },
    ])
    expect(await listAttributes(store)).toEqual(['box-area'])
    expect(await new RunAttribute(store, 'box-area').shards([second, first])).toEqual([0])
    expect((await names('attributes/box-area')).sort()).toEqual(['00000.json', '00000.parquet'])
  })

  it('keeps every number, and which candidates have none', async () => {
    const { store, first } = await makeStore()
    const cell = fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }), { nil: undefined })
    const table = fc.array(fc.array(cell, { maxLength: 5 }), { minLength: 3, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(table, async (rows) => {
        const values = rows.flatMap((cells, row) =>
          cells.flatMap((x, candidate) =>
            x === undefined ? [] : { row, candidate, values: { x } },
          ),
        )

        await new RunAttribute(store, 'any').write(first, { columns: ['x'], values })

        const attribute = await new RunAttribute(store, 'any').read(first)
        for (const [row, cells] of rows.entries()) {
          const candidates = cells.map(() => ({ phrase: 0, score: 0, box: BOX }))
          const expected = Float64Array.from(cells, (x) => x ?? NaN)
          expect(attribute?.of({ row, candidates })).toEqual({ x: expected })
        }
      }),
      { numRuns: 30 },
    )
  })

  it.each([
    ['a name that is a path', '../x', ['x'], [], /no name/],
    ['a column that is a key', 'a', ['row'], [], /no column/],
    ['a row of another shard', 'a', ['x'], [[3, 0, 1]], /rows of \[0, 3\)/],
    ['rows out of order', 'a', ['x'], [[1, 0, 1], [0, 0, 1]], /row 0, candidate 0 after row 1/], // prettier-ignore
    ['a candidate twice', 'a', ['x'], [[0, 1, 1], [0, 1, 1]], /ascending/], // prettier-ignore
    ['what is no number', 'a', ['x'], [[0, 0, NaN]], /x is NaN/],
    ['a missing column', 'a', ['x', 'y'], [[0, 0, 1]], /y is undefined/],
  ] as const)('refuses %s and leaves nothing', async (_, name, columns, cells, message) => {
    const { store, first, names } = await makeStore()
    const values = cells.map(([row, candidate, x]) => ({ row, candidate, values: { x } }))

    const writing = new RunAttribute(store, name).write(first, { columns, values })

    await expect(writing).rejects.toThrow(RangeError)
    await expect(writing).rejects.toThrow(message)
    expect(await names('attributes/a')).toEqual([])
  })
})

const BOX = { x1: 0, y1: 0, x2: 1, y2: 1 }

describe('an attribute counts as absent', () => {
  it('of a shard that has another version since, until it is written again', async () => {
    const { store, first } = await makeStore()
    await write(store, first)
    const next = await renew(store, first)

    expect(await new RunAttribute(store, 'box-area').read(next)).toBeUndefined()
    expect(await new RunAttribute(store, 'box-area').shards([next])).toEqual([])

    await new RunAttribute(store, 'box-area').write(next, { columns: COLUMNS, values: [] })
    expect((await new RunAttribute(store, 'box-area').read(next))?.record.version).toBe(2)
    expect(await new RunAttribute(store, 'box-area').read(first)).toBeUndefined()
  })

  it.each(['file', 'record'])('whose %s is damaged', async (which) => {
    const { runDir, store, first } = await makeStore()
    await write(store, first)
    const name = which === 'file' ? '00000.parquet' : '00000.json'
    const file = path.join(runDir, 'attributes/box-area', name)
    const bytes = await fs.readFile(file)
    bytes[bytes.length >> 1]! ^= 0xff
    await fs.writeFile(file, bytes)

    expect(await new RunAttribute(store, 'box-area').read(first)).toBeUndefined()
  })

  it('that another process is writing', async () => {
    const { store, first } = await makeStore()
    let inner: unknown = 'not asked'
    async function* values() {
      inner = await write(store, first)
      yield* boxAreas(store, 0)
    }

    await new RunAttribute(store, 'box-area').write(first, { columns: COLUMNS, values: values() })

    expect(inner).toBeUndefined()
    expect(await new RunAttribute(store, 'box-area').read(first)).toBeDefined()
  })

  it('whose writer broke at any step, the first time and when it is written again', async () => {
    const { store, first, names } = await makeStore()
    let left = Infinity
    const step = () => {
      if (left-- === 0) throw new Error('killed')
    }
    const breaking: RunStore = {
      ...store,
      replace: async (...args) => (step(), store.replace(...args)),
      remove: async (...args) => (step(), store.remove(...args)),
    }
    for (let round = 0; round < 2; round++) {
      for (const steps of [1, 2]) {
        left = steps
        await expect(write(breaking, first)).rejects.toThrow('killed')

        expect(await new RunAttribute(store, 'box-area').read(first)).toBeUndefined()
        expect(await new RunAttribute(store, 'box-area').shards([first])).toEqual([])
        await sweepAttributes(store, new Map([[0, first]]))
        expect(await names('attributes/box-area')).toEqual([])
      }
      left = Infinity
      await write(breaking, first)
    }
  })

  it('whose process was killed while it wrote, and is swept', { timeout: 60_000 }, async () => {
    const { runDir, store, first, names } = await makeStore()
    const url = (file: string) => pathToFileURL(path.resolve('src/store', file)).href
    const script = `
      const { RunAttribute } = await import('${url('attributes.ts')}')
      const { createPosixStore } = await import('${url('posix/posix-store.ts')}')
      const { readCommits } = await import('${url('shards.ts')}')
      const store = createPosixStore(process.argv[1])
      const [commit] = await readCommits(store)
      async function* values() {
        yield { row: 0, candidate: 0, values: { x: 1 } }
        console.log('writing')
        await new Promise((resolve) => setTimeout(resolve, 60_000))
      }
      await new RunAttribute(store, 'slow').write(commit, { columns: ['x'], values: values() })`
    const argv = ['--import', 'tsx', '--input-type=module', '--eval', script, runDir]
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    expect(await names('attributes/slow')).toEqual(['.00000.claim'])

    child.kill('SIGKILL')
    await once(child, 'exit')

    expect(await new RunAttribute(store, 'slow').read(first)).toBeUndefined()
    await sweepAttributes(store, new Map([[0, first]]))
    expect(await names('attributes/slow')).toEqual([])
  })
})

describe('sweepAttributes', () => {
  it('removes attributes of replaced versions, and no others', async () => {
    const { store, first, second, names } = await makeStore()
    await write(store, first)
    await write(store, second)
    const next = await renew(store, first)

    await sweepAttributes(store, new Map([[0, next]]))

    expect((await names('attributes/box-area')).sort()).toEqual(['00001.json', '00001.parquet'])
    await sweepAttributes(store, new Map([[1, second]]))
    expect(await new RunAttribute(store, 'box-area').read(second)).toBeDefined()
  })

  it('leaves alone what is being written', async () => {
    const { store, first, names } = await makeStore()
    const commits = new Map([[0, first]])
    const sweeping: RunStore = {
      ...store,
      replace: async (...args) => {
        const digest = await store.replace(...args)
        await sweepAttributes(createPosixStore(store.location), commits)
        return digest
      },
    }

    await write(sweeping, first)

    expect(await new RunAttribute(store, 'box-area').read(first)).toBeDefined()
    expect(await names('attributes/box-area')).toHaveLength(2)
  })
})

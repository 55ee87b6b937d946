import fs from 'node:fs/promises'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SampleError } from '../../../src/core/errors.ts'
import { openFetchJournal, removeOldJournals } from '../../../src/store/posix/fetch-journal.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

const open = (run: string, shard = 7, version = 1) => openFetchJournal(run, { shard, version })
const names = (run: string) => fs.readdir(run)

async function onlyFile(run: string): Promise<string> {
  const [name, ...more] = await names(run)
  expect(more).toEqual([])
  return path.join(run, name!)
}

async function bytesOf(journal: Awaited<ReturnType<typeof open>>, url: string) {
  const found = journal.find(url)
  if (found === undefined || 'error' in found) return undefined
  return Buffer.from(await found.read()).toString()
}

describe('a fetch journal', () => {
  it('gives the next attempt what the one before has fetched', async () => {
    const run = await temporaryFolder()
    const first = await open(run)
    const added = await first.add('http://a/1', Buffer.from('one'))
    await first.add('http://a/é"\n', Buffer.alloc(0))
    await first.add(
      'http://a/2',
      new SampleError('http_4xx', 'HTTP 404', { httpStatus: 404, host: 'a', attempts: 1 }),
    )
    expect('read' in added && Buffer.from(await added.read()).toString()).toBe('one')
    // Not closed: a kill does not close either.
    const second = await open(run)

    expect(await bytesOf(second, 'http://a/1')).toBe('one')
    expect(await bytesOf(second, 'http://a/é"\n')).toBe('')
    expect(second.find('http://a/2')).toMatchObject({
      error: {
        code: 'http_4xx',
        message: 'HTTP 404',
        context: { httpStatus: 404, host: 'a', attempts: 1 },
      },
    })
    expect(second.find('http://a/3')).toBeUndefined()
    await first.close()
    await second.close()
  })
  it('collects what several attempts have fetched', async () => {
    const run = await temporaryFolder()
    for (const url of ['a', 'b', 'c']) {
      const journal = await open(run)
      await journal.add(url, Buffer.from(url))
      await journal.close()
    }
    const last = await open(run)

    expect(await Promise.all(['a', 'b', 'c'].map((url) => bytesOf(last, url)))).toEqual([
      'a',
      'b',
      'c',
    ])
    await last.remove()
    expect(await names(run)).toEqual([])
  })
  it('belongs to one version of one shard', async () => {
    const run = await temporaryFolder()
    const journal = await open(run, 7, 1)
    await journal.add('a', Buffer.from('x'))
    await journal.close()

    for (const other of [await open(run, 8, 1), await open(run, 7, 2)]) {
      expect(other.find('a')).toBeUndefined()
      await other.remove()
    }
    expect(await names(run)).toHaveLength(1)
  })
  it('makes no file before there is something to write', async () => {
    const run = await temporaryFolder()

    await (await open(run)).close()

    expect(await names(run)).toEqual([])
  })
  it('keeps the records before the first that is cut or changed', async () => {
    const run = await temporaryFolder()
    const journal = await open(run)
    const bodies = ['first', 'second', 'third'].map((text) => text.repeat(50))
    for (const [index, body] of bodies.entries()) await journal.add(`u${index}`, Buffer.from(body))
    await journal.close()
    const file = await onlyFile(run)
    const whole = await fs.readFile(file)
    const ends = bodies.map((body) => whole.indexOf(body) + body.length)

    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.constantFrom('cut', 'flip', 'zero'),
        async (at, damage) => {
          const damaged = Buffer.from(whole)
          if (damage === 'flip') damaged[at]! ^= 0x10
          if (damage === 'zero') damaged.fill(0, at)
          await fs.writeFile(file, damage === 'cut' ? damaged.subarray(0, at) : damaged)

          const read = await open(run)
          const found = await Promise.all(bodies.map((_, index) => bytesOf(read, `u${index}`)))
          await read.close()

          const intact = ends.filter((end) => end <= at).length
          expect(found).toEqual(bodies.map((body, index) => (index < intact ? body : undefined)))
        },
      ),
      { numRuns: 150 },
    )
  })
  it('that outlived its commit is removed', async () => {
    const run = await temporaryFolder()
    for (const [shard, version] of [
      [1, 1],
      [2, 1],
      [2, 2],
      [3, 1],
    ] as const) {
      const journal = await open(run, shard, version)
      await journal.add('a', Buffer.from('x'))
      await journal.close()
    }

    await removeOldJournals(run, [
      { shard: 1, version: 1 },
      { shard: 2, version: 1 },
    ])

    expect((await names(run)).map((name) => name.slice(0, 9)).sort()).toEqual([
      '.00002.v2',
      '.00003.v1',
    ])
  })
})

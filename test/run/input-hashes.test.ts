import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { hashInputs } from '../../src/run/input-hashes.ts'
import type { Progress } from '../../src/run/progress.ts'
import { runMain } from '../helpers/main.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { makeWebDataset } from '../helpers/toy-web.ts'

const LONG = { tags: 'long' }
const OLD = new Date('2026-01-02T03:04:05Z')
const NEW = new Date('2026-02-03T04:05:06Z')

/** A run over the first rows of a file of 4 MB, none of which needs an image. */
async function makeRun(run: Readonly<Record<string, unknown>> = {}) {
  const folder = await temporaryFolder()
  const rows = Array.from({ length: 4000 }, (_, row) => ({
    url: `http://127.0.0.1:9/${row}`,
    caption: '. '.repeat(500),
  }))
  const config = await makeWebDataset(folder, rows, { run: { limit: 3, ...run } })
  const input = path.join(folder, 'rows.jsonl')
  await fs.utimes(input, OLD, OLD)
  const again = (...flags: string[]) =>
    runMain('run', config, `--out=${folder}/run`, '--log=json', ...flags)
  expect(await again()).toMatchObject({ code: 0 })
  return { folder, input, again }
}

/** In the middle, further from both ends than the identity looks. */
async function editOneByte(input: string, time: Date): Promise<void> {
  const bytes = await fs.readFile(input)
  const middle = bytes.indexOf('. .', bytes.length / 2)
  bytes[middle] = '!'.charCodeAt(0)
  await fs.writeFile(input, bytes)
  await fs.utimes(input, time, time)
}

async function inputsOf(folder: string): Promise<unknown> {
  const text = await fs.readFile(path.join(folder, 'run/run.json'), 'utf8')
  return (JSON.parse(text) as { inputs?: unknown }).inputs
}

describe('a local input', () => {
  it('is known by the hash of the whole', async () => {
    const { folder, input } = await makeRun()

    const sha256 = createHash('sha256')
      .update(await fs.readFile(input))
      .digest('hex')
    expect(await inputsOf(folder)).toEqual({ [input]: sha256 })
  })
  it('with another time and the same bytes resumes', LONG, async () => {
    const { input, again } = await makeRun()
    await fs.utimes(input, NEW, NEW)

    const ended = await again()

    expect(ended).toMatchObject({ code: 0 })
    expect(ended.stderr).toContain('comparing 1 inputs')
    expect(ended.stderr).toContain('every shard is committed')
  })
  it('with one other byte is refused by name', async () => {
    const { folder, input, again } = await makeRun()
    await editOneByte(input, NEW)

    const refused = await again()
    const retried = await runMain('retry-failed', path.join(folder, 'run'), '--verify-inputs')

    expect(refused).toMatchObject({ code: 2 })
    expect(refused.stderr).toContain(`${input} has other bytes than when the run was planned`)
    // Nothing there may be tried again, so nothing is read.
    expect(retried).toMatchObject({ code: 0 })
  })
  it('with one other byte and the same time is found when asked for', LONG, async () => {
    const { input, again } = await makeRun()

    const unchanged = await again('--verify-inputs')
    await editOneByte(input, OLD)
    const trusted = await again()
    const verified = await again('--verify-inputs')
    const dry = await again('--verify-inputs', '--dry-run')

    expect(unchanged).toMatchObject({ code: 0 })
    expect(unchanged.stderr).toContain('comparing 1 inputs')
    expect(trusted).toMatchObject({ code: 0 })
    expect(trusted.stderr).not.toContain('comparing')
    for (const ended of [verified, dry]) {
      expect(ended).toMatchObject({ code: 2 })
      expect(ended.stderr).toContain('has other bytes')
    }
  })
  it('without a hash is refused for its time', LONG, async () => {
    const { folder, input, again } = await makeRun({ hashInputs: 'never' })
    const verified = await again('--verify-inputs')
    await fs.utimes(input, NEW, NEW)

    const refused = await again()

    expect(await inputsOf(folder)).toBeUndefined()
    expect(verified).toMatchObject({ code: 2 })
    expect(verified.stderr).toContain('run.hashInputs')
    expect(refused).toMatchObject({ code: 2 })
    expect(refused.stderr).toContain('mtime')
  })
  it('of many gigabytes is read whole only when asked for, and that is said', async () => {
    const notes: string[] = []
    const progress = { note: (message: string) => notes.push(message) } as unknown as Progress
    const file = { path: '/nowhere/a.parquet', size: 70 * 2 ** 30, mtime: OLD.toISOString() }
    const remote = { path: 'https://a.test/b.parquet', size: 2 ** 60, mtime: OLD.toISOString() }
    const hash = (mode: 'auto' | 'always', ...files: (typeof file)[]) =>
      hashInputs({ files }, { mode, progress, signal: new AbortController().signal })

    expect(await hash('auto', file, remote)).toBeUndefined()
    expect(notes).toEqual([expect.stringContaining('75.2 GB: of each file only')])
    await expect(hash('always', file)).rejects.toThrow('cannot read /nowhere/a.parquet')
    expect(await hash('auto', remote)).toEqual({})
  })
})

import { execFileSync } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { localFiles } from '../../../../src/ingest/source/files/local-files.ts'
import { collectAll, failure } from '../../../helpers/sources.ts'
import { temporaryFolder } from '../../../helpers/temporary-folder.ts'

const { signal } = new AbortController()

async function fileOf(content: string | Uint8Array): Promise<string> {
  const file = path.join(await temporaryFolder(), 'a.bin')
  await fs.writeFile(file, content)
  return file
}

describe('localFiles', () => {
  it('reads here and there, less only at the end', async () => {
    const file = await localFiles.open(await fileOf('0123456789'), signal)

    expect(file.size).toBe(10)
    expect((await file.read(7, 2)).toString()).toBe('78')
    expect((await file.read(2, 3)).toString()).toBe('234')
    expect((await file.read(8, 5)).toString()).toBe('89')
    expect(await file.read(10, 1)).toHaveLength(0)
    expect(await file.read(12, 1)).toHaveLength(0)
    await file.close()
  })

  it('gives what is there of a file that has become shorter', async () => {
    const name = await fileOf('0123456789')
    const file = await localFiles.open(name, signal)
    await fs.truncate(name, 4)

    expect((await file.read(2, 8)).toString()).toBe('23')
    await file.close()
  })

  it('streams from an offset, and stops with the signal', async () => {
    const name = await fileOf(new Uint8Array(2 ** 20).fill(1))
    const stop = new AbortController()

    const whole = Buffer.concat(await collectAll(localFiles.stream(name, 5, signal)))
    expect(whole).toHaveLength(2 ** 20 - 5)

    const stopped = async () => {
      for await (const _ of localFiles.stream(name, 0, stop.signal))
        stop.abort(new Error('stopped'))
    }
    expect(await failure(stopped())).toBe('Error: stopped')
  })

  it('leaves what cannot be read now to a later try', async () => {
    expect(await failure(localFiles.open('/nowhere/a', signal))).toMatch(
      /^ShardError: cannot open \/nowhere\/a: ENOENT/,
    )
    expect(await failure(collectAll(localFiles.stream('/nowhere/a', 0, signal)))).toMatch(
      /^ShardError: cannot read \/nowhere\/a: ENOENT/,
    )
    const folder = await localFiles.open('/', signal)
    expect(await failure(folder.read(0, 1))).toMatch(
      /^ShardError: cannot read \/ at byte 0: EISDIR/,
    )
    await folder.close()
  })

  it('describes regular files alone', async () => {
    const name = await fileOf('abc')
    await fs.utimes(name, 0, new Date('2020-02-03T04:05:06.789Z'))
    const pipe = `${name}.pipe`
    execFileSync('mkfifo', [pipe])

    expect(await localFiles.describe(name, signal)).toEqual({
      size: 3,
      mtime: '2020-02-03T04:05:06.789Z',
    })
    expect(await failure(localFiles.describe('/', signal))).toBe('InputError: / is no regular file')
    expect(await failure(localFiles.describe(pipe, signal))).toMatch(/is no regular file$/)
    expect(await failure(localFiles.describe('/nowhere/a', signal))).toMatch(
      /^InputError: cannot read \/nowhere\/a: ENOENT/,
    )
    // Nobody writes to it: to open it must not wait.
    await (await localFiles.open(pipe, signal)).close()
  })
})

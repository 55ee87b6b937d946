import { execFileSync } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { localFile } from '../../../../src/ingest/source/files/local-files.ts'
import { collectAll, failure } from '../../../helpers/sources.ts'
import { temporaryFolder } from '../../../helpers/temporary-folder.ts'

const { signal } = new AbortController()

async function fileOf(content: string | Uint8Array): Promise<string> {
  const file = path.join(await temporaryFolder(), 'a.bin')
  await fs.writeFile(file, content)
  return file
}

describe('localFile', () => {
  it('reads here and there, less only at the end', async () => {
    const file = await localFile(await fileOf('0123456789'), signal).open()

    expect(file.size).toBe(10)
    expect((await file.read(7, 2)).toString()).toBe('78')
    expect((await file.read(2, 3)).toString()).toBe('234')
    expect((await file.read(8, 5)).toString()).toBe('89')
    expect(await file.read(10, 1)).toHaveLength(0)
    expect(await file.read(12, 1)).toHaveLength(0)
    await file[Symbol.asyncDispose]()
  })

  it('gives what is there of a file that has become shorter', async () => {
    const name = await fileOf('0123456789')
    const file = await localFile(name, signal).open()
    await fs.truncate(name, 4)

    expect((await file.read(2, 8)).toString()).toBe('23')
    await file[Symbol.asyncDispose]()
  })

  it('streams from an offset, and stops with the signal', async () => {
    const name = await fileOf(new Uint8Array(2 ** 20).fill(1))
    const stop = new AbortController()

    const whole = Buffer.concat(await collectAll(localFile(name, signal).stream(5)))
    expect(whole).toHaveLength(2 ** 20 - 5)

    const stopped = async () => {
      for await (const _ of localFile(name, stop.signal).stream(0)) stop.abort(new Error('stopped'))
    }
    expect(await failure(stopped())).toBe('Error: stopped')
  })

  it('leaves what cannot be read now to a later try', async () => {
    expect(await failure(localFile('/nowhere/a', signal).open())).toMatch(
      /^ShardError: cannot open \/nowhere\/a: ENOENT/,
    )
    expect(await failure(collectAll(localFile('/nowhere/a', signal).stream(0)))).toMatch(
      /^ShardError: cannot read \/nowhere\/a: ENOENT/,
    )
    const folder = await localFile('/', signal).open()
    expect(await failure(folder.read(0, 1))).toMatch(
      /^ShardError: cannot read \/ at byte 0: EISDIR/,
    )
    await folder[Symbol.asyncDispose]()
  })

  it('describes regular files alone', async () => {
    const name = await fileOf('abc')
    await fs.utimes(name, 0, new Date('2020-02-03T04:05:06.789Z'))
    const pipe = `${name}.pipe`
    execFileSync('mkfifo', [pipe])

    expect(await localFile(name, signal).describe()).toEqual({
      size: 3,
      mtime: '2020-02-03T04:05:06.789Z',
    })
    expect(await failure(localFile('/', signal).describe())).toBe(
      'InputError: / is no regular file',
    )
    expect(await failure(localFile(pipe, signal).describe())).toMatch(/is no regular file$/)
    expect(await failure(localFile('/nowhere/a', signal).describe())).toMatch(
      /^InputError: cannot read \/nowhere\/a: ENOENT/,
    )
    // Nobody writes to it: to open it must not wait.
    await (await localFile(pipe, signal).open())[Symbol.asyncDispose]()
  })
})

import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { FatalError } from '../../../src/core/errors.ts'
import { createPosixStore } from '../../../src/store/posix/posix-store.ts'
import { beginShard, findCommit, publishShard } from '../../../src/store/shards.ts'
import { makeCommit } from '../../helpers/commits.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'
import { describeRunStore } from '../run-store-suite.ts'

/** Makes claims and names of this process those of an earlier one with the same id. */
async function killAll(runDir: string): Promise<void> {
  const mine = new RegExp(`^(\\..+-${os.hostname()}-${process.pid})-[0-9a-f]{8}-(\\d+)$`)
  for (const folder of [runDir, path.join(runDir, 'shards')]) {
    for (const name of await fs.readdir(folder)) {
      const file = path.join(folder, name)
      const match = mine.exec(name)
      if (match !== null) {
        await fs.rename(file, path.join(folder, `${match[1]}-00000000-${match[2]}`))
      } else if (name.endsWith('.claim')) {
        const owner = JSON.parse(await fs.readFile(file, 'utf8')) as object
        await fs.writeFile(file, JSON.stringify({ ...owner, token: '00000000' }))
      }
    }
  }
}

describeRunStore('createPosixStore', async () => {
  const runDir = path.join(await temporaryFolder(), 'run')
  return { open: () => createPosixStore(runDir), killAll: () => killAll(runDir) }
})

describe('a run folder', () => {
  it('takes an empty folder of the same name for no shard', async () => {
    const runDir = await temporaryFolder()
    const store = createPosixStore(runDir)
    await fs.mkdir(path.join(runDir, 'shards/00000'), { recursive: true })

    expect(await findCommit(store, 0)).toBeUndefined()
    const attempt = await beginShard(store, { shard: 0, version: 1 })
    expect(await publishShard(attempt, makeCommit())).toBe(true)
    expect(await findCommit(store, 0)).toEqual(makeCommit())
  })

  it('keeps what is the owner’s from others', async () => {
    const runDir = await temporaryFolder()

    await createPosixStore(runDir).publish('secret', '', 'owner')

    expect((await fs.stat(path.join(runDir, 'secret'))).mode & 0o777).toBe(0o600)
  })

  it('is found out to be in the way of a file before any work', async () => {
    const file = path.join(await temporaryFolder(), 'file')
    await fs.writeFile(file, '')

    await expect(createPosixStore(file).prepare()).rejects.toThrow(FatalError)
  })
})

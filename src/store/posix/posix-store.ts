// A run folder in a file system, local or shared. What nobody may see yet has a name with a dot and its owner,
// and is published by a link or a rename: atomic, and refused where something is in the way.

import { readFile as readFileCallback } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { COMMIT_FILE, SHARDS_FOLDER, type Attempt, type RunStore } from '../run-store.ts'
import { createAppendedFile } from './appended-file.ts'
import { claimPath, sweepFolder } from './claims.ts'
import {
  codeOf,
  failedWrite,
  makeFolder,
  namesIn,
  naming,
  publishFile,
  replaceFile,
  syncFolder,
  writeSynced,
} from './durable.ts'
import { openFetchJournal, removeOldJournals } from './fetch-journal.ts'
import { ownName } from './owner.ts'
import { openStoredFile } from './stored-file.ts'

/** Not the promises' own, which takes three times as long: a run has thousands of records. */
const readFile = promisify(readFileCallback)

/** @param runDir need not be there yet */
export function createPosixStore(runDir: string): RunStore {
  const address = (name: string) => path.join(runDir, name)
  const shards = address(SHARDS_FOLDER)
  return {
    location: runDir,
    address,
    async prepare() {
      await makeFolder(shards)
      // Found now, not after an hour of labelling.
      const probe = path.join(shards, ownName('.probe.tmp'))
      await writeSynced(probe, '')
      await fs.rm(probe, { force: true })
    },
    async read(name) {
      try {
        return await readFile(address(name), 'utf8')
      } catch (error) {
        if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
        throw error
      }
    },
    open: (name) => openStoredFile(address(name)),
    list: async (folder) => (await namesIn(address(folder))).filter((name) => name[0] !== '.'),
    publish: (name, content, readers) =>
      publishFile(address(name), content, readers === 'owner' ? 0o600 : undefined),
    async replace(name, content) {
      await makeFolder(path.dirname(address(name)))
      return replaceFile(address(name), content)
    },
    remove: (name) => fs.rm(address(name), { force: true }),
    note: (name, line) => naming(address(name), () => fs.appendFile(address(name), `${line}\n`)),
    beginAttempt: (folder) => beginAttempt(address(folder)),
    claim: (name) => claimPath(address(name)),
    async sweep(folders) {
      for (const folder of folders) await sweepFolder(address(folder))
    },
    openJournal: (of) => openFetchJournal(shards, of),
    removeOldJournals: (committed) => removeOldJournals(shards, committed),
  }
}

async function beginAttempt(target: string): Promise<Attempt> {
  const parent = path.dirname(target)
  const dir = path.join(parent, ownName(`.${path.basename(target)}.attempt`))
  await makeFolder(dir)
  const file = (name: string) => path.join(dir, name)
  const discard = () => fs.rm(dir, { recursive: true, force: true })
  return {
    write: (name, content) => writeSynced(file(name), content),
    append: (name) => createAppendedFile(file(name)),
    open: (name) => openStoredFile(file(name)),
    rename: (from, to) => naming(file(to), () => fs.rename(file(from), file(to))),
    remove: (name) => fs.rm(file(name), { force: true }),
    discard,
    async publish(record) {
      await writeSynced(file(COMMIT_FILE), record)
      await syncFolder(dir)
      try {
        await fs.rename(dir, target)
      } catch (error) {
        if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') {
          throw failedWrite(dir, error)
        }
        await discard()
        return false
      }
      await syncFolder(parent)
      return true
    },
  }
}

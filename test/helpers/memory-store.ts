// A run in memory: the least that a RunStore needs. Journals are files, as everywhere.

import { createHash, randomUUID } from 'node:crypto'
import { InputError } from '../../src/core/errors.ts'
import { openFetchJournal, removeOldJournals } from '../../src/store/posix/fetch-journal.ts'
import {
  COMMIT_FILE,
  type Attempt,
  type RunStore,
  type StoredFile,
} from '../../src/store/run-store.ts'

/** What the stores of several processes share. */
export interface Memory {
  readonly files: Map<string, Uint8Array>
  /** Files of attempts, which are in no listing. */
  readonly attempts: Map<string, Map<string, Uint8Array>>
  readonly claims: Map<string, string>
  /** Folder for journals. */
  readonly scratch: string
}

/** Nothing yet. */
export function createMemory(scratch: string): Memory {
  return { files: new Map(), attempts: new Map(), claims: new Map(), scratch }
}

/** Whoever has begun something is dead: nobody holds it any more. */
export function killOwners({ attempts, claims }: Memory): void {
  for (const id of [...attempts.keys()]) {
    attempts.set(`dead ${id}`, attempts.get(id)!)
    attempts.delete(id)
  }
  for (const name of claims.keys()) claims.set(name, 'dead')
}

/** The store of one process. */
export function createMemoryStore(memory: Memory): RunStore {
  const { files, attempts, claims, scratch } = memory
  const address = (name: string) => `memory:${name}`
  return {
    location: 'memory:',
    address,
    prepare: () => Promise.resolve(),
    async read(name) {
      const bytes = files.get(name)
      return bytes === undefined ? undefined : Buffer.from(bytes).toString()
    },
    open: async (name) => openBytes(address(name), files.get(name)),
    async list(folder) {
      const prefix = folder === '' ? '' : `${folder}/`
      const names = [...files.keys()].filter((name) => name.startsWith(prefix))
      return [...new Set(names.map((name) => name.slice(prefix.length).split('/')[0]!))]
    },
    async publish(name, content) {
      if (files.has(name)) return false
      files.set(name, Buffer.from(content))
      return true
    },
    async replace(name, content) {
      files.set(name, Buffer.from(content))
      return digestOf(content)
    },
    async remove(name) {
      files.delete(name)
    },
    async note(name, line) {
      files.set(name, Buffer.concat([files.get(name) ?? Buffer.alloc(0), Buffer.from(`${line}\n`)]))
    },
    beginAttempt: async (folder) => beginAttempt(memory, folder),
    async claim(name) {
      const holder = randomUUID()
      if ((claims.get(name) ?? 'dead') !== 'dead') return undefined
      claims.set(name, holder)
      return async () => {
        if (claims.get(name) === holder) claims.delete(name)
      }
    },
    async sweep() {
      for (const id of [...attempts.keys()]) if (id.startsWith('dead ')) attempts.delete(id)
      for (const [name, holder] of [...claims]) if (holder === 'dead') claims.delete(name)
    },
    openJournal: (of) => openFetchJournal(scratch, of),
    removeOldJournals: (committed) => removeOldJournals(scratch, committed),
  }
}

function beginAttempt({ files, attempts }: Memory, folder: string): Attempt {
  const id = randomUUID()
  const own = new Map<string, Uint8Array>()
  attempts.set(id, own)
  const discard = async () => {
    attempts.delete(id)
  }
  return {
    async write(name, content) {
      own.set(name, Buffer.from(content))
      return digestOf(content)
    },
    append(name) {
      const pieces: Uint8Array[] = []
      return {
        append: async (piece) => {
          pieces.push(...piece)
        },
        room: () => Promise.resolve(),
        async close() {
          if (pieces.length > 0) own.set(name, Buffer.concat(pieces))
        },
      }
    },
    open: async (name) => openBytes(name, own.get(name)),
    async rename(from, to) {
      own.set(to, own.get(from)!)
      own.delete(from)
    },
    async remove(name) {
      own.delete(name)
    },
    async publish(record) {
      if (!attempts.has(id)) throw new Error(`${folder}: the attempt was removed`)
      await discard()
      if (files.has(`${folder}/${COMMIT_FILE}`)) return false
      for (const [name, bytes] of own) files.set(`${folder}/${name}`, bytes)
      files.set(`${folder}/${COMMIT_FILE}`, Buffer.from(record))
      return true
    },
    discard,
  }
}

function openBytes(address: string, bytes: Uint8Array | undefined): StoredFile {
  if (bytes === undefined) throw new InputError(`${address} is not there`)
  return {
    address,
    size: bytes.length,
    async read(start, end) {
      if (end > bytes.length) throw new Error(`the file ends at byte ${bytes.length}`)
      return Uint8Array.from(bytes.subarray(start, end))
    },
    close: () => Promise.resolve(),
  }
}

function digestOf(content: Uint8Array | string) {
  const bytes = Buffer.from(content)
  return { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { InputError } from '../../src/core/errors.ts'
import {
  openManifest,
  publishManifest,
  publishPlan,
  readManifest,
  readPlan,
} from '../../src/store/run-manifest.ts'
import { createPosixStore } from '../../src/store/posix/posix-store.ts'
import { makeManifest } from '../helpers/commits.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

describe('run.json', () => {
  it('is written once and gives back what was written', async () => {
    const runDir = await temporaryFolder()
    const store = createPosixStore(runDir)
    const manifest = makeManifest()

    expect(await readManifest(store)).toBeUndefined()
    expect(await publishManifest(store, manifest)).toBe(true)
    expect(await publishManifest(store, makeManifest({ runId: 'other' }))).toBe(false)

    expect(await openManifest(runDir)).toEqual(manifest)
    expect(await fs.readdir(runDir)).toEqual(['run.json'])
  })

  it('that is missing or damaged is named', async () => {
    const runDir = await temporaryFolder()

    await expect(openManifest(runDir)).rejects.toThrow(/holds no run\.json/)
    await fs.writeFile(path.join(runDir, 'run.json'), '{')
    await expect(openManifest(runDir)).rejects.toThrow(InputError)
    await expect(openManifest(runDir)).rejects.toThrow(/run\.json is no run of this version/)
  })
})

describe('the plan', () => {
  const shards = [
    { id: 0, start: 0, end: 5, cursor: 0 },
    { id: 1, start: 5, end: 8, cursor: { file: 1, position: null } },
  ]

  it('gives back its shards', async () => {
    const store = createPosixStore(await temporaryFolder())
    await publishPlan(store, 'id', shards)

    expect(await readPlan(store, 'id')).toEqual(shards)
  })

  it('that is missing or damaged is named, with the line', async () => {
    const store = createPosixStore(await temporaryFolder())

    await expect(readPlan(store, 'id')).rejects.toThrow(InputError)
    await expect(readPlan(store, 'id')).rejects.toThrow(/plan-id\.jsonl cannot be read/)
    await store.publish('plan-id.jsonl', `${JSON.stringify(shards[0])}\n{"id": 1}\n`)
    await expect(readPlan(store, 'id')).rejects.toThrow(/plan-id\.jsonl, line 2: not a shard/)
  })
})

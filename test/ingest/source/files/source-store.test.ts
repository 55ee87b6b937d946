import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { fetchOptionsSchema } from '../../../../src/ingest/fetch/options.ts'
import { createSourceStore } from '../../../../src/ingest/source/files/source-store.ts'
import { sourceOptionsSchema } from '../../../../src/ingest/source/options.ts'
import { failure } from '../../../helpers/sources.ts'
import { temporaryFolder } from '../../../helpers/temporary-folder.ts'

const { signal } = new AbortController()

describe('createSourceStore', () => {
  it('asks the place that a path or an address names', async () => {
    const { s3 } = sourceOptionsSchema.parse({})
    const store = createSourceStore(fetchOptionsSchema.parse({}), s3)
    const file = path.join(await temporaryFolder(), 'a')
    await fs.writeFile(file, 'abc')

    expect(await store.describe(file, signal)).toMatchObject({ size: 3 })
    // The guard of the web refuses this machine; the store has no such bucket.
    expect(await failure(store.describe('http://127.0.0.1/a', signal))).toMatch(
      /^InputError: http:\/\/127\.0\.0\.1\/a: /,
    )
    expect(await failure(store.describe('s3://-/a', signal))).toMatch(/is no name of a bucket/)
    await store.close()
  })
})

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
    const store = createSourceStore(s3, { fetch: fetchOptionsSchema.parse({}) })
    const files = store.until(signal)
    const file = path.join(await temporaryFolder(), 'a')
    await fs.writeFile(file, 'abc')

    expect(await files.file(file).describe()).toMatchObject({ size: 3 })
    // The guard of the web refuses this machine; the store has no such bucket.
    expect(await failure(files.file('http://127.0.0.1/a').describe())).toMatch(
      /^InputError: http:\/\/127\.0\.0\.1\/a: /,
    )
    expect(await failure(files.file('s3://-/a').describe())).toMatch(/is no name of a bucket/)
    await store.close()
  })
})

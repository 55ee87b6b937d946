import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { InputError } from '../../src/core/errors.ts'
import {
  createUrlDigest,
  openUrlDigest,
  randomUrlKey,
  URL_KEY_FILE,
} from '../../src/store/url-digest.ts'
import { createMemory, createMemoryStore } from '../helpers/memory-store.ts'

const newStore = () => createMemoryStore(createMemory(''))

describe('openUrlDigest', () => {
  it('makes one key for all who ask', async () => {
    const store = newStore()

    const digests = await Promise.all([1, 2, 3].map(() => openUrlDigest(store)))

    const key = (await store.read(URL_KEY_FILE))!.trim()
    const expected = createHmac('sha256', key).update('http://é').digest('hex')
    for (const digest of digests) expect(digest('http://é')).toBe(expected)
  })

  it('takes the key that is there, but no short one', async () => {
    const [store, short] = [newStore(), newStore()]
    await store.publish(URL_KEY_FILE, '  one key for all of our runs\n')
    await short.publish(URL_KEY_FILE, 'fifteen letters\n')

    const digest = await openUrlDigest(store)

    expect(digest('a')).toBe(createUrlDigest('one key for all of our runs')('a'))
    await expect(openUrlDigest(short)).rejects.toThrow(InputError)
    await expect(openUrlDigest(short)).rejects.toThrow(/has 15 characters; .* at least 16/)
  })
})

describe('randomUrlKey', () => {
  it('is another one each time', () => {
    const keys = Array.from({ length: 20 }, randomUrlKey)

    expect(new Set(keys).size).toBe(20)
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{64}$/)
  })
})

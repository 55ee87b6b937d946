// Keyed digests stand for URLs that no record may name: whoever has the key and a URL can tell whether
// it is meant, and the records alone are no list of such URLs.

import { createHmac, randomBytes } from 'node:crypto'
import { InputError } from '../core/errors.ts'
import type { RunStore } from './run-store.ts'

/** HMAC-SHA256 of the UTF-8 text, in hex. */
export type UrlDigest = (url: string) => string

/** In the run folder, readable by its owner alone. */
export const URL_KEY_FILE = 'url-key'
const MIN_KEY_LENGTH = 16

/** The text itself is the key, so that `openssl dgst -hmac` makes the same digests. */
export function createUrlDigest(key: string): UrlDigest {
  return (url) => createHmac('sha256', key).update(url).digest('hex')
}

/** 64 hex digits. */
export function randomUrlKey(): string {
  return randomBytes(32).toString('hex')
}

/**
 * Digests with the key of the run folder, which is made when there is none; all processes of a run
 * get the same one.
 *
 * @throws InputError if the key is too short to keep a secret; FatalError when the disk refuses
 */
export async function openUrlDigest(store: RunStore): Promise<UrlDigest> {
  let text = await store.read(URL_KEY_FILE)
  if (text === undefined) {
    await store.publish(URL_KEY_FILE, `${randomUrlKey()}\n`, 'owner')
    text = await store.read(URL_KEY_FILE)
  }
  const key = text?.trim() ?? ''
  if (key.length < MIN_KEY_LENGTH) {
    throw new InputError(
      `${store.address(URL_KEY_FILE)}: the key has ${key.length} characters; it must have at least ` +
        String(MIN_KEY_LENGTH),
    )
  }
  return createUrlDigest(key)
}

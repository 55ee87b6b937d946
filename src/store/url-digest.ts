// Keyed digests stand for URLs that no record may name: whoever has the key and a URL can tell whether
// it is meant, and the records alone are no list of such URLs.

import { createHmac, randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { InputError } from '../core/errors.ts'
import { codeOf, publishFile } from './posix/durable.ts'

/** HMAC-SHA256 of the UTF-8 text, in hex. */
export type UrlDigest = (url: string) => string

/** In the run folder, readable by its owner alone. */
export const URL_KEY_FILE = 'url-key'
const MIN_KEY_LENGTH = 16

/** The text itself is the key, so that `openssl dgst -hmac` makes the same digests. */
export function createUrlDigest(key: string): UrlDigest {
  return (url) => createHmac('sha256', key).update(url).digest('hex')
}

export function randomUrlKey(): string {
  return randomBytes(32).toString('hex')
}

/**
 * Digests with the key of the run folder, which is made when there is none; all processes of a run
 * get the same one.
 *
 * @throws InputError if the key is too short to keep a secret; FatalError when the disk refuses
 */
export async function openUrlDigest(runDir: string): Promise<UrlDigest> {
  const file = path.join(runDir, URL_KEY_FILE)
  let text = await readKey(file)
  if (text === undefined) {
    await publishFile(file, `${randomUrlKey()}\n`, 0o600)
    text = await readKey(file)
  }
  const key = text?.trim() ?? ''
  if (key.length < MIN_KEY_LENGTH) {
    throw new InputError(
      `${file}: the key has ${key.length} characters; it must have at least ${MIN_KEY_LENGTH}`,
    )
  }
  return createUrlDigest(key)
}

async function readKey(file: string): Promise<string | undefined> {
  try {
    return await fs.readFile(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

// Who works on what. Claims only save double work, and sweeping only saves room: that one result of a shard is
// seen is the affair of Attempt.publish.

import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import type { Release } from '../run-store.ts'
import { codeOf, makeFolder, naming, namesIn } from './durable.ts'
import { isDead, OWNER, ownerOf, ownerSchema } from './owner.ts'

const BEAT_MS = 5_000
/** A claim that was not renewed for so long belongs to a dead or cut-off process. */
const STALE_MS = 60_000

/**
 * @param target path of what is worked on; the claim is a hidden file beside it
 * @returns undefined while a living process holds it
 */
export async function claimPath(target: string): Promise<Release | undefined> {
  const folder = path.dirname(target)
  const file = path.join(folder, `.${path.basename(target)}.claim`)
  await makeFolder(folder)
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      await naming(file, () => fs.writeFile(file, JSON.stringify(OWNER), { flag: 'wx' }))
      break
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
      if (attempt > 0 || (await isHeld(file))) return undefined
      await removeStale(file)
    }
  }
  const beat = setInterval(() => {
    const now = new Date()
    fs.utimes(file, now, now).catch(() => undefined)
  }, BEAT_MS)
  beat.unref()
  return async () => {
    clearInterval(beat)
    await fs.rm(file, { force: true })
  }
}

async function isHeld(file: string): Promise<boolean> {
  let age = 0
  try {
    age = Date.now() - (await fs.stat(file)).mtimeMs
    if (age > STALE_MS) return false
    return !isDead(ownerSchema.parse(JSON.parse(await fs.readFile(file, 'utf8'))))
  } catch (error) {
    // Without an owner it is being written right now, or its writer was killed doing so.
    const isNameless = error instanceof z.ZodError || error instanceof SyntaxError
    return isNameless && age < BEAT_MS
  }
}

/** Of several processes that find a stale claim only one renames it away. */
async function removeStale(file: string): Promise<void> {
  const aside = `${file}.${randomBytes(4).toString('hex')}`
  await fs.rename(file, aside).catch(() => undefined)
  await fs.rm(aside, { force: true })
}

/**
 * Removes what dead processes of this machine left in a folder: attempts, half-written files, claims.
 *
 * @throws what the file system says, e.g. on a folder that may only be read
 */
export async function sweepFolder(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) {
    const file = path.join(folder, name)
    const made = /^(\..+\.(?:attempt|tmp))-/.exec(name)
    const owner = made === null ? undefined : ownerOf(name, made[1]!)
    if (owner !== undefined && isDead(owner)) await fs.rm(file, { recursive: true, force: true })
    if (/^\..+\.claim/.test(name) && !(await isHeld(file))) await removeStale(file)
  }
}

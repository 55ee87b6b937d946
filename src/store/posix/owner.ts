// Whose a half-made file is: names and claims carry host, process and a token, so that what a dead
// process left behind can be told from what a living one is making.

import { randomBytes } from 'node:crypto'
import os from 'node:os'
import { z } from 'zod'

/** As it stands in a claim. */
export const ownerSchema = z.object({ host: z.string(), pid: z.int(), token: z.string() })

/** A process. */
export type Owner = z.output<typeof ownerSchema>

/** This process. The token is its own even where a container gives each process the same host and id. */
export const OWNER: Owner = {
  host: os.hostname(),
  pid: process.pid,
  token: randomBytes(4).toString('hex'),
}

let count = 0

/** The name with this process and a number behind it: nobody else makes that name. */
export function ownName(name: string): string {
  return `${name}-${OWNER.host}-${OWNER.pid}-${OWNER.token}-${count++}`
}

/** Who made a name; undefined for a name that `ownName` has not made. */
export function ownerOf(name: string, prefix: string): Owner | undefined {
  if (!name.startsWith(`${prefix}-`)) return undefined
  const match = /^(.*)-(\d+)-([0-9a-f]{8})-\d+$/.exec(name.slice(prefix.length + 1))
  if (match === null) return undefined
  return { host: match[1]!, pid: Number(match[2]), token: match[3]! }
}

/** True only if it is certain: of a process on another machine nothing is known. */
export function isDead({ host, pid, token }: Owner): boolean {
  if (host !== OWNER.host) return false
  return pid === OWNER.pid ? token !== OWNER.token : !isAlive(pid)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

// Bounds the bytes of bodies that a process holds, from the first that arrives until the image is in
// the journal: many large bodies at once wait for each other, small ones hardly notice.

import { untilCalled } from './deadline.ts'

/** What one body holds of it. */
export interface ByteShare {
  /**
   * Adds bytes to the share, at once or when others have given theirs back. The share that began
   * first never waits, so somebody always gets on.
   *
   * @returns undefined when there was room; rejects with the signal's reason
   */
  take(bytes: number, signal: AbortSignal): Promise<void> | undefined
  /** Gives back what is beyond this many bytes; 0 ends the share. */
  keep(bytes: number): void
}

interface Share {
  held: number
  /** Of the take that waits. */
  wanted: number
  start: (() => void) | undefined
}

/**
 * Memory for bodies, shared by all that arrive.
 *
 * @param limit bytes of all shares but the one that began first, which comes on top
 */
export function createByteBudget(limit: number) {
  // In the order in which they began.
  const shares = new Set<Share>()
  let held = 0
  let queued = 0

  const grant = (share: Share, bytes: number) => {
    share.held += bytes
    held += bytes
  }
  const mayTake = (share: Share, bytes: number): boolean => {
    const [oldest] = shares
    return share === oldest || held - (oldest?.held ?? 0) + bytes <= limit
  }
  const pump = () => {
    for (const share of shares) {
      if (share.start === undefined) continue
      if (!mayTake(share, share.wanted)) return
      grant(share, share.wanted)
      share.start()
    }
  }
  return {
    /** Bytes held by all shares. */
    held: () => held,
    /** A share for one body; it counts from its first take. */
    open: (): ByteShare => {
      const share: Share = { held: 0, wanted: 0, start: undefined }
      return {
        take: (bytes, signal) => {
          shares.add(share)
          const [oldest] = shares
          // Whoever waits goes first, else a stream of small bodies would keep it waiting.
          if (share === oldest || (queued === 0 && mayTake(share, bytes))) {
            grant(share, bytes)
            return undefined
          }
          return untilCalled<void>(signal, (call) => {
            const leave = () => {
              queued--
              share.start = undefined
            }
            queued++
            share.wanted = bytes
            share.start = () => {
              leave()
              call()
            }
            return () => {
              leave()
              pump()
            }
          })
        },
        keep: (bytes) => {
          const given = Math.max(0, share.held - bytes)
          share.held -= given
          held -= given
          if (bytes === 0) shares.delete(share)
          pump()
        },
      }
    },
  }
}

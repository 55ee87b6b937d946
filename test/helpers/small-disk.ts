import { execFileSync } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from './temporary-folder.ts'

export interface SmallDisk {
  readonly path: string
  /** Mounts it again with other options, e.g. "size=64m". */
  remount(options: string): void
}

/**
 * A file system in memory that is gone when the test has finished; undefined where mounting is not
 * allowed.
 */
export async function mountSmallDisk(options: string): Promise<SmallDisk | undefined> {
  const path = await temporaryFolder()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  onTestFinished(() => {
    execFileSync('umount', ['-l', path])
  })
  return {
    path,
    remount: (changed) => {
      execFileSync('mount', ['-o', `remount,${changed}`, path])
    },
  }
}

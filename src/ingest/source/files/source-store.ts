// The files of a source by name, wherever they are: local paths, https:// and s3:// addresses.

import type { FetchOptions } from '../../fetch/options.ts'
import type { S3Options } from '../options.ts'
import { isRemote, isS3 } from './addresses.ts'
import type { FilesDeps, SourceFiles, SourceStore } from './files.ts'
import { createHttpFiles } from './http-files.ts'
import { localFiles } from './local-files.ts'
import { createS3Files } from './s3-files.ts'

/** Connections are opened when they are needed; `close` ends them. */
export function createSourceStore(
  fetch: FetchOptions,
  s3: S3Options,
  deps: FilesDeps = {},
): SourceStore {
  const http = createHttpFiles(fetch, deps)
  const objects = createS3Files(s3, fetch)
  const of = (path: string): SourceFiles =>
    isS3(path) ? objects : isRemote(path) ? http : localFiles
  return {
    open: (path, signal) => of(path).open(path, signal),
    openForward: (path, signal) => of(path).openForward(path, signal),
    stream: (path, offset, signal) => of(path).stream(path, offset, signal),
    describe: (path, signal) => of(path).describe(path, signal),
    listObjects: objects.listObjects,
    close: async () => {
      await Promise.all([http.close(), objects.close()])
    },
  }
}

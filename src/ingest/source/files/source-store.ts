// The files of a source by name, wherever they are: local paths, https:// and s3:// addresses.

import type { S3Options } from '../options.ts'
import { isRemote, isS3 } from './addresses.ts'
import type { Network, SourceStore } from './files.ts'
import { createHttpFiles } from './http-files.ts'
import { localFile } from './local-files.ts'
import { createS3Files } from './s3-files.ts'

/** Connections are opened when they are needed; `close` ends them. */
export function createSourceStore(s3: S3Options, network: Network): SourceStore {
  const http = createHttpFiles(network)
  const objects = createS3Files(s3, network.fetch)
  return {
    until: (signal) => ({
      file: (path) => {
        if (isS3(path)) return objects.file(path, signal)
        return isRemote(path) ? http.file(path, signal) : localFile(path, signal)
      },
      listObjects: (prefix, isDeep) => objects.list({ prefix, isDeep, signal }),
    }),
    close: async () => {
      await Promise.all([http.close(), objects.close()])
    },
  }
}

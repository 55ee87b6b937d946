// The files of a source by name, wherever they are: local paths, https:// and s3:// addresses.

import path from 'node:path'
import type { FetchOptions } from '../../fetch/options.ts'
import type { FetcherDeps } from '../../fetch/fetcher.ts'
import type { S3Options } from '../options.ts'
import { createHttpFiles } from './http-files.ts'
import { localFiles } from './local-files.ts'
import { createS3Files, isS3 } from './s3-files.ts'

/** What one place can do: a disk, the web, an object store. */
export interface SourceFiles {
  /**
   * For reads here and there.
   *
   * @throws ShardError if the file cannot be had just now
   */
  open(path: string, signal: AbortSignal): Promise<OpenFile>
  /** For reads that go forward with small steps back: remote bytes are streamed. */
  openForward(path: string, signal: AbortSignal): Promise<OpenFile>
  /** Bytes from an offset to the end. */
  stream(path: string, offset: number, signal: AbortSignal): AsyncIterable<Buffer>
  /**
   * What a file is known by, beside its path.
   *
   * @throws InputError for what is no regular file or is not there
   */
  describe(path: string, signal: AbortSignal): Promise<FileDescription>
}

export interface SourceStore extends SourceFiles {
  /**
   * Objects whose address begins with an s3:// address, in any order. (Folders on a disk are walked, web
   * servers cannot be searched.)
   *
   * @param isDeep false: none that has a further slash
   * @throws InputError or ShardError if they cannot be listed
   */
  listObjects(prefix: string, isDeep: boolean, signal: AbortSignal): AsyncIterable<string>
  close(): Promise<void>
}

export interface OpenFile {
  /** Bytes; infinite where a server does not say. */
  readonly size: number
  /** Bytes [start, start + length), fewer only at the end of the file. */
  read(start: number, length: number): Promise<Buffer>
  close(): Promise<void>
}

export interface FileDescription {
  readonly size: number
  /** Time of the last change, ISO 8601; of a local file. */
  readonly mtime?: string
  /** Of a remote file, or its Last-Modified where there is no ETag. */
  readonly etag?: string
}

/** True for what is read over the network. */
export function isRemote(path: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(path)
}

/** What tests replace. */
export type FilesDeps = Pick<FetcherDeps, 'query' | 'ca'>

/** The name without a query or a fragment, in lower case: what an ending is looked for in. */
export function bareName(path: string): string {
  return (isRemote(path) && !isS3(path) ? path.replace(/[?#].*$/, '') : path).toLowerCase()
}

/** The folder of a file, or the address that relative addresses in it are relative to. */
export function folderOf(file: string): string {
  return isRemote(file) ? new URL('.', file).href : path.dirname(file)
}

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

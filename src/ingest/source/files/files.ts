// What the reader of a data set asks of the place where its files are.

import type { FetcherDeps } from '../../fetch/fetcher.ts'

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

/** All places as one: a path or an address says which is asked. */
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

/** A file that is read by offsets. */
export interface OpenFile {
  /** Bytes; infinite where a server does not say. */
  readonly size: number
  /** Bytes [start, start + length), fewer only at the end of the file. */
  read(start: number, length: number): Promise<Buffer>
  close(): Promise<void>
}

/** What tells that a file is still the one that was planned. */
export interface FileDescription {
  readonly size: number
  /** Time of the last change, ISO 8601; of a local file. */
  readonly mtime?: string
  /** Of a remote file, or its Last-Modified where there is no ETag. */
  readonly etag?: string
}

/** What tests replace. */
export type FilesDeps = Pick<FetcherDeps, 'query' | 'ca'>

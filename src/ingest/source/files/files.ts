// What the reader of a data set asks of the place where its files are.

import { InputError } from '../../../core/errors.ts'
import type { FetcherDeps } from '../../fetch/fetcher.ts'
import type { FetchOptions } from '../../fetch/options.ts'

/** All places as one: a path or an address says which is asked. */
export interface SourceStore {
  /** The files as one reader has them: what it began ends with its signal. */
  until(signal: AbortSignal): SourceFiles
  close(): Promise<void>
}

/** The files of all places, up to a signal. */
export interface SourceFiles {
  file(path: string): SourceFile
  /**
   * Objects whose address begins with an s3:// address, in any order. (Folders on a disk are walked, web
   * servers cannot be searched.)
   *
   * @param isDeep false: none that has a further slash
   * @throws InputError or ShardError if they cannot be listed
   */
  listObjects(prefix: string, isDeep: boolean): AsyncIterable<string>
}

/** A file by its name, up to a signal. */
export interface SourceFile {
  readonly path: string
  readonly signal: AbortSignal
  /** Another file of the same place. */
  beside(path: string): SourceFile
  /**
   * For reads here and there.
   *
   * @throws ShardError if the file cannot be had just now
   */
  open(): Promise<OpenFile>
  /** For reads that go forward with small steps back: remote bytes are streamed. */
  openForward(): Promise<OpenFile>
  /** Bytes from an offset to the end. */
  stream(offset: number): AsyncIterable<Buffer>
  /**
   * What a file is known by, beside its path.
   *
   * @throws InputError for what is no regular file or is not there
   */
  describe(): Promise<FileDescription>
}

/** A file that is read by offsets. */
export interface OpenFile extends AsyncDisposable {
  /** Bytes; infinite where a server does not say. */
  readonly size: number
  /** Bytes [start, start + length), fewer only at the end of the file. */
  read(start: number, length: number): Promise<Buffer>
}

/** What tells that a file is still the one that was planned. */
export interface FileDescription {
  readonly size: number
  /** Time of the last change, ISO 8601; of a local file. */
  readonly mtime?: string
  /** Of a remote file, or its Last-Modified where there is no ETag. */
  readonly etag?: string
}

/** How remote files are had: the guard and the time-outs of `fetch:`, and what tests replace. */
export interface Network {
  readonly fetch: FetchOptions
  readonly deps?: Pick<FetcherDeps, 'query' | 'ca'>
}

/** @throws what says nothing about whether the file is there */
export async function isThere(file: SourceFile): Promise<boolean> {
  try {
    await file.describe()
    return true
  } catch (error) {
    if (error instanceof InputError) return false
    throw error
  }
}

// What a run's folder can do, whatever it lies on. Formats and names are the affair of the files beside this
// one; an implementation only moves bytes, and test/store/run-store-suite.ts says what it must hold.

import type { SampleError } from '../core/errors.ts'
import type { FilePart } from '../core/types.ts'

/** Where shards lie; each in a folder of its own, see shards.ts. */
export const SHARDS_FOLDER = 'shards'
/** One line per failed try at a shard: notes, for people. */
export const FAILURES_FILE = 'failures.jsonl'
/** The record whose presence makes an attempt's folder count. */
export const COMMIT_FILE = 'commit.json'

/** What a record says about a file beside it. */
export interface FileDigest {
  /** Bytes. */
  readonly size: number
  /** Hex. */
  readonly sha256: string
}

/** One version of a shard; 1, or more after `retry-failed`. */
export interface ShardVersion {
  readonly shard: number
  readonly version: number
}

/** A file that does not change while it is read, whole or in part. */
export interface StoredFile {
  /** As messages call it. */
  readonly address: string
  /** Bytes. */
  readonly size: number
  /** Exactly the bytes [start, end). @throws Error if the file is shorter */
  read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>
  close(): Promise<void>
}

/** A file that grows at its end. */
export interface GrowingFile {
  /** Resolves when the piece is written; pieces come in the order of the calls. @throws FatalError, now and from then on */
  append(piece: readonly Uint8Array[]): Promise<unknown>
  /** Resolves when there is room for more, for whoever does not wait for each piece. @throws as append */
  room(): Promise<void>
  /** Resolves when everything survives a power cut. @throws as append */
  close(): Promise<void>
}

/**
 * One try at a folder of files, which nobody sees before it is published. An implementation without a local
 * disk behind it may keep the files of an attempt there until then.
 */
export interface Attempt {
  /** Writes a whole file that is not there yet. @throws FatalError when the disk refuses */
  write(name: string, content: Uint8Array | string): Promise<FileDigest>
  /** Begins a file that is not there yet with its first piece. */
  append(name: string): GrowingFile
  /** A closed file of this attempt. */
  open(name: string): Promise<StoredFile>
  /** Gives a closed file another name, in place of whatever has it. */
  rename(from: string, to: string): Promise<void>
  remove(name: string): Promise<void>
  /**
   * Writes `commit.json` and makes the folder visible in one step, durably.
   *
   * @returns false if another attempt was published first; this one is gone then
   */
  publish(record: string): Promise<boolean>
  /** Removes what was written. */
  discard(): Promise<void>
}

/** An image that was received, or why there is none. */
export type JournaledFetch =
  | { readonly part: FilePart; readonly read: () => Promise<Uint8Array> }
  | { readonly error: SampleError }

/** What was fetched for a shard version that is not committed yet, by any process. */
export interface FetchJournal {
  /** What became of this URL, if that is known. */
  find(url: string): JournaledFetch | undefined
  /** Resolves when a kill no longer loses it. @throws FatalError when the disk refuses */
  add(url: string, outcome: Uint8Array | SampleError): Promise<JournaledFetch>
  /** Syncs and closes; the files stay for the next attempt. */
  close(): Promise<void>
  /** Closes and removes the files of every process: the shard is committed. */
  remove(): Promise<void>
}

/** Lets a claim go. */
export type Release = () => Promise<void>

/**
 * The folder of one run. Names are relative to it, with `/`; no name that readers see begins with a dot.
 * Several processes, on several machines, use one folder at once: each holds a store of its own.
 *
 * Writes that the place refuses are a FatalError that names the file.
 */
export interface RunStore {
  /** As the user calls it. */
  readonly location: string
  /** What messages call a file of it. */
  address(name: string): string
  /** Makes the folder ready for shards, and finds out now whether it can be written. */
  prepare(): Promise<void>

  /** A file's text; undefined if there is none. */
  read(name: string): Promise<string | undefined>
  /** @throws InputError if there is no such file */
  open(name: string): Promise<StoredFile>
  /** Names in a folder, in any order: published ones only. None if there is no such folder. */
  list(folder: string): Promise<string[]>
  /**
   * Writes a file if, and only if, there is none of that name; readers see all of it or nothing.
   *
   * @param readers `owner`: of this user alone, where the place has permissions
   * @returns false if another process was first; its file stays
   */
  publish(name: string, content: string, readers?: 'owner'): Promise<boolean>
  /** Writes a file in place of any of that name; readers see all of the old or all of the new. */
  replace(name: string, content: Uint8Array | string): Promise<FileDigest>
  /** No error if there is none. */
  remove(name: string): Promise<void>
  /** Adds a line to a file of notes; a kill may cut the last one. */
  note(name: string, line: string): Promise<void>

  /** @param folder that the attempt is to become */
  beginAttempt(folder: string): Promise<Attempt>
  /**
   * Says that this process works on what has that name. Claims only save double work: they lapse when their
   * process dies (at once on this machine, after a minute elsewhere), so nothing may depend on them.
   *
   * @returns undefined while a living process holds it
   */
  claim(name: string): Promise<Release | undefined>
  /** Removes what dead processes left in these folders: attempts, half-written files, claims. */
  sweep(folders: readonly string[]): Promise<void>

  /**
   * Journals are local files wherever the run lies: the processes that check images read them there, and to lose
   * one costs requests alone. A store without a local folder of its own keeps them in one for scratch.
   */
  openJournal(of: ShardVersion): Promise<FetchJournal>
  /** Removes journals that outlived the commit of their version. */
  removeOldJournals(committed: readonly ShardVersion[]): Promise<void>
}

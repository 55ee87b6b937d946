// Values kept while they are in use or good: footers, windows, indexes, answers.

/** Values by key. */
export interface Cache<T> {
  /** The value under the key, made once however many ask; the longest unused leaves. */
  get(key: string, make: () => Promise<T>): Promise<T>
}

/** How long values are kept, in milliseconds from when they are there. */
export interface CacheTimes<T> {
  /** Absent: as long as there is room. */
  readonly keepMs?: (value: T) => number
  /** Absent: not at all, so that the next one to ask tries again. */
  readonly keepErrorMs?: (error: unknown) => number
  readonly now?: (() => number) | undefined
}

/** @param size values kept */
export function createCache<T>(size: number, times: CacheTimes<T> = {}): Cache<T> {
  const { keepMs = () => Infinity, keepErrorMs = () => 0, now = Date.now } = times
  const entries = new Map<string, { readonly value: Promise<T>; expires: number }>()

  const start = (key: string, value: Promise<T>) => {
    const entry = { value, expires: Infinity }
    value.then(
      (made) => (entry.expires = now() + keepMs(made)),
      (error: unknown) => {
        entry.expires = now() + keepErrorMs(error)
        if (entry.expires <= now() && entries.get(key) === entry) entries.delete(key)
      },
    )
    return entry
  }
  return {
    get: (key, make) => {
      const known = entries.get(key)
      const entry = known !== undefined && known.expires > now() ? known : start(key, make())
      entries.delete(key)
      entries.set(key, entry)
      for (const oldest of entries.keys()) {
        if (entries.size <= size) break
        entries.delete(oldest)
      }
      return entry.value
    },
  }
}

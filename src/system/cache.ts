// A few values kept while they are in use: footers, windows, indexes.

/** Values by key; a failed one is forgotten. */
export interface Cache<T> {
  /** The value under the key, made once however many ask; the longest unused leaves. */
  get(key: string, make: () => Promise<T>): Promise<T>
  clear(): void
}

/** @param size values kept */
export function createCache<T>(size: number): Cache<T> {
  const entries = new Map<string, Promise<T>>()
  return {
    get: (key, make) => {
      const known = entries.get(key)
      const value = known ?? make()
      if (known === undefined) {
        value.catch(() => {
          if (entries.get(key) === value) entries.delete(key)
        })
      }
      entries.delete(key)
      entries.set(key, value)
      for (const oldest of entries.keys()) {
        if (entries.size <= size) break
        entries.delete(oldest)
      }
      return value
    },
    clear: () => {
      entries.clear()
    },
  }
}

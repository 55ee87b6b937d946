// The files of a shard that is being made: images as they come, the rest at the end.

import { encodeGroundings } from '../store/groundings.ts'
import { createImagesTar, dropImages, type StoredImage } from '../store/images-tar.ts'
import type { Attempt, FileDigest } from '../store/run-store.ts'
import { GROUNDINGS_FILE, IMAGES_FILE, REJECTS_FILE } from '../store/shards.ts'
import { createKeptImages, type KeptImages, type KeptRows } from './kept-rows.ts'
import type { Balance } from './shard-accounts.ts'

/** Writes into one attempt. */
export class ShardFiles {
  readonly #attempt: Attempt
  readonly #tar
  readonly #keptImages: KeptImages | undefined
  /** Keys of the images in the archive. */
  readonly #stored = new Set<string>()
  /** Those of them whose rows have failed since. */
  readonly #orphans = new Set<string>()

  /** @param kept rows of the version before, whose images are taken over */
  constructor(attempt: Attempt, kept: KeptRows | undefined) {
    this.#attempt = attempt
    this.#tar = createImagesTar(attempt.append(IMAGES_FILE))
    this.#keptImages = kept === undefined ? undefined : createKeptImages(kept.images())
  }

  /** In row order. Resolves when there is room for the next. @throws FatalError when the disk refuses */
  async storeImage(image: StoredImage): Promise<void> {
    await this.#takeOver(image.key)
    await this.#add(image)
  }

  #add(image: StoredImage): Promise<void> {
    this.#stored.add(image.key)
    return this.#tar.add(image)
  }

  /** The row of an image, which may be stored already, has failed. */
  forgetImage(key: string): void {
    if (this.#stored.has(key)) this.#orphans.add(key)
  }

  /** Writes what is left, complete and synced. @throws FatalError when the disk refuses */
  async finish(
    { rows, rejects }: Pick<Balance, 'rows' | 'rejects'>,
    runId: string,
  ): Promise<Record<string, FileDigest>> {
    await this.#takeOver()
    const images = await this.#finishImages()
    const lines = rejects.map((reject) => `${JSON.stringify(reject)}\n`)
    return {
      [GROUNDINGS_FILE]: await this.#attempt.write(GROUNDINGS_FILE, encodeGroundings(rows, runId)),
      ...(images === undefined ? {} : { [IMAGES_FILE]: images }),
      [REJECTS_FILE]: await this.#attempt.write(REJECTS_FILE, lines.join('')),
    }
  }

  /** Undefined where no image is stored: there is no archive then. */
  async #finishImages(): Promise<FileDigest | undefined> {
    if (this.#stored.size === 0) {
      await this.#tar.abort()
      return undefined
    }
    const images = await this.#tar.close()
    if (this.#orphans.size === 0) return images
    if (this.#orphans.size < this.#stored.size) {
      return dropImages(this.#attempt, IMAGES_FILE, this.#orphans)
    }
    await this.#attempt.remove(IMAGES_FILE)
    return undefined
  }

  /** Images of the version before up to a key, so that the archive stays in row order. */
  async #takeOver(before?: string): Promise<void> {
    if (this.#keptImages === undefined) return
    for await (const image of this.#keptImages.take(before)) await this.#add(image)
  }

  /** Closes what is open; the files are for the attempt to discard. */
  async abort(): Promise<void> {
    await this.#keptImages?.close()
    await this.#tar.abort()
  }
}

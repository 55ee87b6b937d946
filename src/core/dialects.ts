// Loaders of ODVG files, which differ in what they take.

/** The first one is the default. */
export const ODVG_DIALECTS = ['mmdet', 'open-groundingdino', 'tao'] as const

/** A loader of ODVG files. */
export type OdvgDialect = (typeof ODVG_DIALECTS)[number]

/** @throws RangeError for a name that is none: a caller has not checked it */
export function odvgDialect(name: string | undefined): OdvgDialect {
  const dialect = ODVG_DIALECTS.find((known) => known === name)
  if (dialect === undefined) throw new RangeError(`"${name}" is no dialect of ODVG`)
  return dialect
}

// Loaders of ODVG files, which differ in what they take.

export const ODVG_DIALECTS = ['mmdet', 'open-groundingdino', 'tao'] as const
export type OdvgDialect = (typeof ODVG_DIALECTS)[number]

// Words about the medium, the shop or the file instead of what is seen, as singulars. OWL-ST removes 61
// such words (shop and host names, file types, photo, image, wallpaper, stock, vector; appendix A.2 of
// arXiv 2306.09683). GRIT and CogVLM keep them: their authors let the teacher's score decide.

import { setOf } from './list.ts'

/** Dropped as the head of a phrase, and from n-grams. */
export const GENERIC_WORDS = setOf(`
  photo photograph photography image picture pic pix snapshot shot screenshot thumbnail wallpaper
  stock vector illustration clipart clip-art footage video gif jpg jpeg png svg pdf eps psd file
  icon logo render rendering graphic template mockup mock-up view closeup close-up portrait
  headshot selfie artwork sale shipping delivery price discount offer deal sku product brand
  background backdrop website site web link url blog pinterest shutterstock istock getty alamy
  flickr depositphotos dreamstime ebay amazon etsy aliexpress instagram facebook youtube copy
  version edition credit caption description`)

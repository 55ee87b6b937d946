// Compounds that tokenized captions write with spaces around the hyphen: "t - shirt", "tall - looking".

import { setOf } from './list.ts'

/** With a plain hyphen, as they are looked up. */
export const SPACED_COMPOUNDS = setOf(`
  close-up t-shirt tee-shirt x-ray e-mail air-force mid-air make-up pick-up stand-up pop-up push-up
  line-up check-up pin-up build-up grown-up warm-up lock-up hot-dog hi-fi wi-fi sci-fi pre-school
  co-pilot ice-cream full-length half-pipe on-board off-road old-fashioned one-way two-way four-way
  double-decker merry-go-round high-rise high-end high-heel low-rise third-floor top-floor`)

/** Right-hand parts that make an adjective of whatever stands on their left. */
export const SPACED_SUFFIXES = setOf(`
  looking colored coloured sized shaped style styled covered powered inspired themed based friendly
  free neutral controlled catching like haired eyed sleeved legged necked tailed faced handed
  headed roofed wheeled story storied made painted framed lined filled length wide long piece color
  colour shouldered bodied bottomed topped patterned clad driven drawn operated mounted built
  fashioned seater door engine inch foot lane level man person year month day hour week old class
  quality growing moving flying standing blowing`)

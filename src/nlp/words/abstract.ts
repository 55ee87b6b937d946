// Heads that cannot be drawn as a box, as singulars. GRIT drops abstract noun chunks and publishes three
// of its words: time, love, freedom (arXiv 2306.14824, section 2.1). The list is our own, by the classes
// of nouns that WordNet's lexicographer files name (time, feeling, cognition, communication, act, state,
// attribute, quantity, relation); a word that often names a thing, a person, a place or a scene is not in
// it, so "a party", "a race", "the light" and "a sunset" stay.

import { setOf } from './list.ts'

/** Singulars of what has no box. */
export const ABSTRACT_WORDS = setOf(`
  time day week weekend month year decade century hour minute second moment today tomorrow
  yesterday morning afternoon evening night noon midnight season spring summer autumn winter date
  period era age past future history beginning start finish january february march april june july
  august september october november december monday tuesday wednesday thursday friday saturday
  sunday childhood youth birth death life lifetime anniversary birthday occasion
  love freedom happiness joy sadness anger fear hope pride shame guilt grief pleasure pain delight
  excitement enthusiasm passion desire anxiety stress surprise amazement astonishment boredom
  loneliness confidence courage trust sympathy affection emotion feeling mood spirit
  idea thought concept theory belief opinion knowledge wisdom understanding memory imagination
  dream plan purpose reason meaning sense mind attention interest focus concentration consideration
  decision choice intention goal aim objective faith truth fact doubt inspiration creativity
  experience skill talent ability method process way manner technique approach strategy solution
  problem issue question answer example instance case kind type sort
  word language news information message conversation discussion talk speech advice instruction
  request suggestion promise agreement argument debate announcement reference comment story tale
  joke rumor
  action activity act effort attempt try help support use work job task duty service practice
  participation preparation performance movement motion progress development growth change
  improvement increase decrease loss gain success failure victory defeat win achievement
  introduction exploration transformation management control security safety protection defense
  peace war justice crime
  state condition situation circumstance status existence reality possibility opportunity chance
  risk danger luck fate health illness disease hunger thirst sleep rest silence noise chaos order
  mess trouble difficulty ease comfort privacy
  quality quantity beauty strength weakness power energy force speed pace height width length depth
  weight temperature heat warmth cold color colour shape style design direction position distance
  difference similarity importance value cost amount number rate level degree percent percentage
  majority part portion share total sum average nature culture society economy politics education
  science business industry technology fun entertainment leisure tradition religion philosophy air
  sound flight mid-air midair
  thing something lot bit variety range series relation relationship connection respect regard
  matter point advantage benefit result effect impact cause influence consequence addition favor
  favour account behalf spite instead`)

/** Places in the picture, not things: dropped where nothing but a determiner stands before them. */
export const RELATIONAL_WORDS = setOf(`
  front back side top bottom middle center centre background foreground distance left right rear
  end edge corner inside outside midst half rest other one place way view`)

// Function words of languages in Latin letters that are no English words. Written down for the language
// gate; words that English shares (in, an, on, die, man, am, was, me, he, no, do, a, to, as) are left out.

import { setOf } from './list.ts'

/** Signs of another language, in lower case. */
export const FOREIGN_WORDS = setOf(`
  le la les un une des du aux et est sont dans sur sous avec pour par qui que nous vous elle ils
  chez au ce cette ces son sa ses leur deux ou où
  der das den dem ein eine einen einem einer eines und ist sind mit auf für von vom zum zur im aus
  bei nach über unter vor zwei nicht auch wird sich
  el los las unos unas del con para por una y es esta este sobre entre dos desde muy
  il lo gli uno di della dello dei delle degli nel nella sul sulla che sono per tra fra
  o os uma uns umas da dos das em no na nos nas com ao à pelo pela e
  het een van met op voor naar bij uit zijn niet ook twee
  z ze na pod przez jest są dla od oraz
  og av på til fra som ikke med ett och från för inte är två
  ve bir ile için
  yang dan di dari dengan untuk pada sebuah
  și cu pe este din`)

/** Letters of European alphabets that English does not take over with its loanwords. */
export const FOREIGN_LETTERS = /[ßłąęśźżćńøåæőűřščžğışșțđðþœ]/iu

/** English function words that no other language of the list has. */
export const ENGLISH_WORDS = setOf(`
  the of and with at by from for into near behind under over this that these those is are its his
  her their while who which some two three through along around beside on being has have it they
  a an in to or as up off out down there where when next`)

// Singular of a noun, by rule and a list of irregular forms.

import { list, setOf } from './words/list.ts'

/** Plural and singular. */
const IRREGULAR = new Map(
  list(`
    men/man people/person feet/foot teeth/tooth geese/goose mice/mouse oxen/ox leaves/leaf
    knives/knife wives/wife lives/life loaves/loaf shelves/shelf wolves/wolf calves/calf
    halves/half scarves/scarf thieves/thief hooves/hoof elves/elf selves/self dice/die cacti/cactus
    fungi/fungus buses/bus gases/gas lenses/lens axes/axe heroes/hero potatoes/potato
    tomatoes/tomato mangoes/mango echoes/echo torpedoes/torpedo movies/movie cookies/cookie
    selfies/selfie pies/pie ties/tie brownies/brownie zombies/zombie hippies/hippie
    smoothies/smoothie calories/calorie hoodies/hoodie collies/collie headaches/headache
    caches/cache avalanches/avalanche moustaches/moustache mustaches/mustache quizzes/quiz`).map(
    (pair) => pair.split('/') as [string, string],
  ), // both are there
)

/** Words that end in -s in the singular, or have no singular. */
const UNCHANGED =
  setOf(`lens pants jeans shorts glasses sunglasses goggles scissors trousers binoculars headphones
  earphones series species news physics gymnastics athletics mathematics clothes overalls pajamas
  pyjamas tights leggings dominoes stairs woods suspenders swimming-trunks canvas christmas texas
  atlas pancreas`)

/** @param noun in any case; returned in lower case and singular, unchanged where no rule applies */
export function singular(noun: string): string {
  const word = noun.toLowerCase().replace(/['’]s?$/u, '')
  const irregular = IRREGULAR.get(word)
  if (irregular !== undefined) return irregular
  if (UNCHANGED.has(word) || word.length < 4 || !word.endsWith('s')) return singularCompound(word)
  if (/(?:ss|us|is)$/.test(word)) return word
  if (/[^aeiou]ies$/.test(word)) return `${word.slice(0, -3)}y`
  if (/(?:ch|sh|x|ss|zz)es$/.test(word)) return word.slice(0, -2)
  return word.slice(0, -1)
}

/** "policemen", "gentlewomen", "grandchildren". */
function singularCompound(word: string): string {
  if (
    word.endsWith('men') &&
    word.length > 4 &&
    !/^(?:specimen|abdomen|omen|stamen|ramen|semen|regimen|acumen)$/.test(word)
  ) {
    return `${word.slice(0, -3)}man`
  }
  return word.endsWith('children') ? word.slice(0, -3) : word
}

// Grounds the phrases of one caption in one picture.
//
//   node examples/ground-picture.mjs sample/images/00001.jpg "Wallpaper with a yellow tent"

import { openGrounder, parseConfig } from 'groundmill'

const [image = 'sample/images/00001.jpg', caption = 'Wallpaper with a yellow tent'] =
  process.argv.slice(2)

const grounder = await openGrounder(parseConfig({ teacher: { model: 'glip-nano' } }))
try {
  const { phrases, candidates, width, height } = await grounder.ground({ image, caption })
  console.log(`${image}: ${width} x ${height} px`)
  for (const { phrase, score, box } of candidates) {
    if (score < grounder.defaultScore) continue
    const corners = [box.x1, box.y1, box.x2, box.y2].map((pixels) => pixels.toFixed(1))
    console.log(`${score.toFixed(3)}  ${phrases[phrase].text}  [${corners.join(', ')}]`)
  }
} finally {
  await grounder.close()
}

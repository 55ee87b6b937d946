import { defineConfig } from 'vitest/config'
import { SkippedReporter } from './test/helpers/skipped.ts'

// Time-outs are for what hangs: a busy machine is slow, and no test asks how slow.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/helpers/build.ts'],
    reporters: ['default', new SkippedReporter()],
    tags: [
      {
        name: 'long',
        description: 'takes its time: `npm run test:all` runs it, `npm test` leaves it out',
        timeout: 1_200_000,
      },
    ],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    env: { GROUNDMILL_BUILT_WORKERS: '1' },
    pool: 'forks',
    // Files share what they import, which takes as long as the tests; each cleans up behind itself.
    isolate: false,
    maxWorkers: 2,
  },
})

import type { SandboxFunction } from '@peerhost/sandbox'
import type { Results } from '../lib/results.ts'

/** What a suite is given. */
export interface SuiteOptions {
  results: Results
  /** Short runs, to see that it works: the figures mean little. */
  quick: boolean
  /** A function of fixtures/serverless.yml, as packaged for a deploy. */
  fn: (name: string) => SandboxFunction
}

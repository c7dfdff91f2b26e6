/** What a handler threw, or why a bundle did not load, as the jail tells it: hostile text, cut to a reasonable length. */
export interface FunctionFailure {
  errorType: string
  errorMessage: string
  trace: string[]
}

/** The load left something behind that executions would share, or never came to its end: fork point `blank` remains. */
export class RefusedLoad extends Error {}

/** Something survived an execution, or a child did what no child does. The jail is not used again. */
export class JailEnded extends Error {
  /** True if the kernel killed a process of the jail for want of memory. */
  readonly outOfMemory: boolean

  constructor(reason: string, outOfMemory: boolean) {
    super(reason)
    this.outOfMemory = outOfMemory
  }
}

/** The bundle threw, exited or hung while it loaded. */
export class InitFailed extends Error {
  readonly failure: FunctionFailure
  readonly outOfMemory: boolean
  readonly logs: string

  constructor(failure: FunctionFailure, outOfMemory: boolean, logs: string) {
    super(failure.errorMessage)
    this.failure = failure
    this.outOfMemory = outOfMemory
    this.logs = logs
  }
}

/** The child ended without an answer. */
export class ChildEnded extends Error {}

/** The child's answer is longer than a response may be. */
export class AnswerTooLarge extends Error {}

/** The child's answer is not one. */
export class BadAnswer extends Error {}

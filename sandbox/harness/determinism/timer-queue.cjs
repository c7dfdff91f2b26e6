'use strict'
// Timers waiting for their time: a binary heap, soonest first, among equals the one that was added first. Uses indices
// only. An entry's `place` is its index here, -1 while it is in no queue.

const earlier = (a, b) => a.due < b.due || (a.due === b.due && a.order < b.order)

function createTimerQueue() {
  const heap = []
  let size = 0
  let added = 0

  function put(entry, place) {
    heap[place] = entry
    entry.place = place
  }

  function rise(entry, place) {
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!earlier(entry, heap[parent])) break
      put(heap[parent], place)
      place = parent
    }
    put(entry, place)
  }

  function sink(entry, place) {
    for (;;) {
      let child = 2 * place + 1
      if (child >= size) break
      if (child + 1 < size && earlier(heap[child + 1], heap[child])) child++
      if (!earlier(heap[child], entry)) break
      put(heap[child], place)
      place = child
    }
    put(entry, place)
  }

  return {
    size: () => size,
    first: () => heap[0],
    add(entry) {
      entry.order = added++
      rise(entry, size++)
    },
    remove(entry) {
      const { place } = entry
      entry.place = -1
      const last = heap[--size]
      heap[size] = undefined
      if (last === entry) return
      sink(last, place)
      rise(last, last.place)
    },
  }
}

module.exports = { createTimerQueue }

/** Container names: the rule, and made-up ones. */
import { Fault } from '#lib/errors.ts';
import type { Random } from '#lib/random.ts';

const rule = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** Longest name, in characters. */
const nameLimit = 1024;

/** The name without its leading slash, or Docker's refusal. */
export function checkName(given: string): string {
  const name = given.replace(/^\//, '');
  if (!rule.test(name) || name.length > nameLimit) {
    throw new Fault('invalid', `Invalid container name (${given}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
  return name;
}

const first = [
  'amber', 'brisk', 'calm', 'civil', 'clear', 'cosy', 'deft', 'eager', 'early', 'even', 'fair', 'fleet', 'fond', 'frank', 'free', 'gentle',
  'glad', 'golden', 'good', 'grand', 'green', 'handy', 'happy', 'hardy', 'honest', 'keen', 'kind', 'light', 'lively', 'loyal', 'lucid',
  'mellow', 'merry', 'mild', 'neat', 'nimble', 'noble', 'patient', 'placid', 'plain', 'polite', 'proud', 'quick', 'quiet', 'ready', 'rosy',
  'sage', 'sharp', 'silver', 'smart', 'snug', 'sober', 'solid', 'spry', 'steady', 'stout', 'sunny', 'sure', 'swift', 'tidy', 'trim', 'true',
  'vivid', 'warm', 'wise', 'witty', 'young', 'zesty',
];

/** Builders of bridges, ships, engines and cranes. */
const second = [
  'arkwright', 'arup', 'bazalgette', 'bessemer', 'boulton', 'bramah', 'brassey', 'brindley', 'brunel', 'candela', 'clark', 'cort', 'diesel',
  'eads', 'eiffel', 'ellet', 'ericsson', 'fairbairn', 'fowler', 'freyssinet', 'fulton', 'goethals', 'gooch', 'hawkshaw', 'hero', 'hornblower',
  'imhotep', 'isler', 'jessop', 'kahn', 'karlsen', 'lesseps', 'lindenthal', 'locke', 'maillart', 'maudslay', 'menn', 'metcalfe', 'modjeski',
  'monier', 'murdoch', 'nasmyth', 'nervi', 'newcomen', 'otto', 'papin', 'parsons', 'perronet', 'rennie', 'riquet', 'roebling', 'sauvage',
  'savery', 'shukhov', 'smeaton', 'sostratus', 'stephenson', 'stevin', 'strauss', 'telford', 'torroja', 'trevithick', 'vauban', 'vitruvius',
  'watt', 'whitworth', 'wilkinson', 'xenocles',
];

/** Tries before a digit is put at the end. */
const plainTries = 6;

/** A free `adjective_surname`, with a number where many are taken. */
export function inventName(random: Random, isFree: (name: string) => boolean): string {
  for (let tries = 0; ; tries++) {
    const digits = tries < plainTries ? '' : String(random.int(10 ** Math.min(9, tries - plainTries + 1)));
    const name = `${first[random.int(first.length)]}_${second[random.int(second.length)]}${digits}`;
    if (isFree(name)) return name;
  }
}

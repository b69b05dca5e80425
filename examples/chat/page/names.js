const FIRST = 'Amber Brisk Calm Dusky Early Fleet Gentle Hardy Keen Misty Quiet Salty Tidal'.split(' ');
const SECOND = 'Auk Barnacle Cormorant Dunlin Eider Fulmar Gannet Heron Kelp Limpet Petrel Tern Urchin'.split(' ');

const pick = (list) => list[Math.floor(Math.random() * list.length)];

/** The name that was given, if the server will take it; else the one of last time, else a new one. Kept for the next visit. */
export function chosenName(given = localStorage.getItem('name') ?? '') {
  const isFit = /^[\p{L}\p{N}][\p{L}\p{N} .'_-]{0,23}$/u.test(given.trim());
  const name = isFit ? given.trim() : `${pick(FIRST)} ${pick(SECOND)}`;
  localStorage.setItem('name', name);
  return name;
}

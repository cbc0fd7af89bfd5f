//! Our own little texts, a line each.

pub const ENGLISH: [&str; 6] = [
    "The river rises in the hills above the old town and passes under three stone bridges.",
    "Nobody has counted how many mills it once drove, but the last one closed long ago.",
    "In spring the water is high and the children are told not to play on its banks.",
    "My grandmother sold bread at the market, and everybody knew her voice from far away.",
    "When the train arrives in the evening, the whole square smells of coal and rain.",
    "We walked for two hours before we found the house with the green door.",
];

pub const FRENCH: [&str; 6] = [
    "La rivière prend sa source dans les collines et passe sous trois ponts de pierre.",
    "Personne n'a compté les moulins qu'elle faisait tourner, mais le dernier a fermé depuis longtemps.",
    "Au printemps l'eau est haute et on dit aux enfants de ne pas jouer sur les rives.",
    "Ma grand-mère vendait du pain au marché, et tout le monde connaissait sa voix.",
    "Quand le train arrive le soir, toute la place sent le charbon et la pluie.",
    "Nous avons marché pendant deux heures avant de trouver la maison à la porte verte.",
];

pub const SWAHILI: [&str; 6] = [
    "Mto unaanzia katika vilima juu ya mji wa zamani na kupita chini ya madaraja matatu ya mawe.",
    "Hakuna aliyehesabu vinu vingapi ulivyoendesha, lakini cha mwisho kilifungwa zamani.",
    "Wakati wa masika maji ni mengi na watoto huambiwa wasicheze kwenye kingo zake.",
    "Bibi yangu aliuza mkate sokoni, na kila mtu aliijua sauti yake kutoka mbali.",
    "Treni inapofika jioni, uwanja wote hunukia makaa ya mawe na mvua.",
    "Tulitembea kwa saa mbili kabla ya kuiona nyumba yenye mlango wa kijani.",
];

//! Words that say nothing about what a caller wants.

use super::stem::{Stemmed, Stems};
use crate::words::Language;

/// Words that only hold a sentence together.
const DANISH_FUNCTION: &str = "jeg du han hun vi i de den det mig dig ham hende os jer dem sig min mit \
mine din dit dine hans hendes vores jeres deres sin sit sine en et ene eneste og eller men at som der \
er var bliver blev blevet være været har havde haft kan kunne skal skulle vil ville må måtte bør af på \
til fra med for om ved hos over under efter før mellem mod uden ad op ned ud ind hen så da når hvis \
fordi også ikke jo nok bare lige nu her jamen altså dog kun øh øhm hm hmm nå ja jo nej tak okay ok hej \
goddag dav halløj hallo farvel godmorgen man nogen noget nogle ingen intet alle alt denne dette disse \
hvad hvem hvor hvordan hvornår hvorfor hvilken hvilket hvilke mon vel få får fået fik tage tager gå \
går gik gøre gør gjort gjorde passer passe mere meget mest lidt anden andet andre have sådan selv igen \
blive end hele hel helt sagde sagt siger hvilken";

/// Words that callers wrap their wish in; they count only inside a tenant's own phrases.
const DANISH_CARRIER: &str = "gerne tale snakke stille stilles omstille omstillet ønsker vide høre \
spørge spørgsmål spørg problem problemer brug bruge hjælp hjælpe vedrørende angående handler drejer \
ringer ringe ring ringes ringet kontakt kontakte kommune kommunen fat muligt mulighed venligst god dag prøve prøver sag \
sagen ny nyt nye lave finde se komme kommer andre ting tænkt tror ved måske egentlig virkelig sidste \
uge år dage gang time bedt brev fået dreje snart hurtigst sige række forbindelse forbundet videre \
person personer nemlig stadig allerede siden kigge undersøge oplyse oplysninger oplysning information \
tilbage går nærmere ordne ordnet klare navn hedder virke virker fungerer skift skifte ændre bestille bestil starte begynde begynd tid tider nul to tre fire fem seks syv otte ni ti elleve tolv tyve tredive \
hundrede tusind første anden tredje";

const ENGLISH_FUNCTION: &str = "i you he she we they it me him her us them my your his its our their \
mine yours a an the and or but that this these those is are was were be been being am have has had \
having do does did done doing can could shall should will would may might must of on to from with for \
about at by in into over under after before between against without up down out off so then when if \
because also not just now here there oh um uh er erm hm hmm well yes no thanks thank please okay ok \
hi hello good morning afternoon evening goodbye bye any some none all what who where how why which \
whom whose get got gets getting im ive id ill dont cant didnt isnt youre thats its very much more most \
too as than again like said say says go going let lets gonna wanna one ones hasnt havent wont doesnt";

const ENGLISH_CARRIER: &str = "want wanted need needed speak talk transfer put through connect know \
ask question questions problem problems help helped regarding concerning calling call wish looking \
trying try could possible someone somebody anyone reach contact council municipality day case new old \
make find see tell something anything think thing things maybe really last week year years days time \
soon still already since information details letter check sort person people apply give take look \
department office desk line back name named work working book change start begin time zero two three four five six seven eight nine ten eleven twelve twenty \
hundred thousand first second third";

/// Words that never tell two phrases apart.
const ARTICLES: [&str; 8] = ["a", "an", "the", "en", "et", "den", "det", "de"];

/// Words that make another verb of the one before them: `læg på`, `hang up`.
const PARTICLES: [&str; 23] = [
    "op", "paa", "af", "ud", "ind", "til", "fra", "om", "over", "ned", "tilbage", "igen", "on",
    "off", "up", "out", "in", "down", "away", "back", "again", "through", "forbi",
];

/// How much a word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// Nothing: it holds the sentence together.
    Function,
    /// Nothing, except inside a phrase of the tenant.
    Carrier,
    /// Something.
    Content,
}

/// The stop words of one language, folded.
#[derive(Clone, Debug, Default)]
pub(super) struct StopWords {
    function: std::collections::BTreeSet<String>,
    /// Carriers by their stems too: `tal` like `tale`.
    carrier: std::collections::BTreeSet<String>,
}

impl StopWords {
    /// Returns the stop words of a language; a language without a list has none.
    pub(super) fn of(language: Language) -> Self {
        let (function, carrier) = match language {
            Language::DA => (DANISH_FUNCTION, DANISH_CARRIER),
            Language::EN => (ENGLISH_FUNCTION, ENGLISH_CARRIER),
            _ => ("", ""),
        };
        let stems = Stems::of(language);
        let mut all = Self::default();
        all.function
            .extend(function.split_whitespace().map(super::text::fold));
        for word in carrier.split_whitespace() {
            let word = stems.stem(word);
            all.carrier.extend([word.folded, word.stem]);
        }
        all
    }

    /// Tells whether a folded word is a particle.
    pub(super) fn is_particle(&self, folded: &str) -> bool {
        PARTICLES.contains(&folded)
    }

    /// Tells whether a folded word is an article.
    pub(super) fn is_article(&self, folded: &str) -> bool {
        ARTICLES.contains(&folded)
    }

    /// Weighs a word.
    pub(super) fn weigh(&self, word: &Stemmed) -> Weight {
        if self.function.contains(&word.folded) {
            Weight::Function
        } else if self.carrier.contains(&word.folded) || self.carrier.contains(&word.stem) {
            Weight::Carrier
        } else {
            Weight::Content
        }
    }
}
